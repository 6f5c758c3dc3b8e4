"""Corpus → manifests: every recording opened, everything that is wrong kept in a list, memory flat."""
