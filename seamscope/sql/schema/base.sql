-- What the rooms of the house share; people read the views in main.
CREATE SCHEMA IF NOT EXISTS base;
