"""Files of weights that strangers made: described from their headers, checked, and only then read. No torch in here."""
