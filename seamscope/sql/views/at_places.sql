-- What stands in a list at some places (from 1; 0: none), to make rows of with unnest(). Never values[place] after it:
-- where a join follows, DuckDB copies all values for each place.
CREATE OR REPLACE MACRO base.at_places("values", places) AS
    list_select("values", list_transform(places, lambda place: coalesce(place, 0)));
