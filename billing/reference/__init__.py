"""Reference data out of files: tariffs, norms, multipliers, key rates, holidays, moratoria, regions."""
