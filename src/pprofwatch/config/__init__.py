"""Options of ``start``, from flags and a TOML file, as a frozen Config."""
