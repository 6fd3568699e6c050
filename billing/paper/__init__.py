"""Documents on paper and for other systems: the unified payment document, its QR code, ГИС ЖКХ XML, registers."""
