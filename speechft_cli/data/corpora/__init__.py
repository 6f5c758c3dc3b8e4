"""The corpus readers, one file each: what lies on disk → utterances."""
