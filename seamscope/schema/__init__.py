"""The floor of the house: the words and the tables that every room shares."""
