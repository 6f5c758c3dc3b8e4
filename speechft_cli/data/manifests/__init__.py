"""Manifests on disk: lhotse cuts or lhotse Shar archives by split, with an index beside them."""
