"""Messages to ГИС ЖКХ by its schemas 14.4.0.1: payment documents, notices of payment, meter values."""
