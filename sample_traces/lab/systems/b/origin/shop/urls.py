"""The shop's routes."""

from django.urls import path

from shop import views

urlpatterns = [
    path("v1/me/", views.me),
    path("v1/orders/", views.orders),
    path("v1/recommendations/", views.recommendations),
    path("v1/products/<int:number>/", views.product),
    path("v1/reports/<str:month>/", views.report),
    path("v1/quote/", views.quote),
    path("v1/stock/", views.stock),
    path("v1/panels/next/", views.next_panel),
    path("v1/panels/<str:name>/", views.panel),
    path("v1/banner/", views.banner),
]
