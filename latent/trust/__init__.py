"""How far a flat map may be believed: faithful, structured, repeatable."""
