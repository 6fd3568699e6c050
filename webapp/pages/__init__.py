"""One module a page; each exports ``routes``."""
