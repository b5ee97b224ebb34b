"""How fast is labmw, beside its peers and beside the simplest honest code that does the same?"""
