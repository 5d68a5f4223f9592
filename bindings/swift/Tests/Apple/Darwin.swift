// Its existence is what canImport(Darwin) asks for.
