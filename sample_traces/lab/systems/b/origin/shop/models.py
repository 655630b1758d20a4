"""The shop's tables, as `schema.sql` makes them."""

from django.db import models


class Account(models.Model):
    """Who shops."""

    name = models.TextField()
    region = models.TextField()

    class Meta:
        """The table is made elsewhere."""

        managed = False
        db_table = "accounts"


class Product(models.Model):
    """What is sold."""

    name = models.TextField()
    shelf = models.IntegerField()
    list_cents = models.IntegerField()

    class Meta:
        """The table is made elsewhere."""

        managed = False
        db_table = "products"


class Order(models.Model):
    """What was bought, by whom."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    placed = models.DateTimeField()

    class Meta:
        """The table is made elsewhere."""

        managed = False
        db_table = "orders"


class Review(models.Model):
    """What somebody thought of a product."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    stars = models.IntegerField()

    class Meta:
        """The table is made elsewhere."""

        managed = False
        db_table = "reviews"
