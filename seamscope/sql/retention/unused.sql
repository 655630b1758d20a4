-- The numbers ({key}) in {among} that none of {uses} refers to.
SELECT DISTINCT a.{key}
FROM {among} AS a
ANTI JOIN (SELECT DISTINCT used FROM ({uses})) AS u ON u.used = a.{key}
