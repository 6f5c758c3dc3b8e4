"""One engine per stage: `run(config, report) -> Result`."""
