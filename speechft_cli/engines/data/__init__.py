"""What lies in a folder of manifests, for people: in numbers, and some of it to look at."""
