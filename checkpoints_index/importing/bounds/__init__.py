"""What foreign files may cost, and what becomes of whatever their readers raise."""
