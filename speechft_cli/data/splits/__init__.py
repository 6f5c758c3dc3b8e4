"""Which utterances a task trains on, is selected on and is tested on."""
