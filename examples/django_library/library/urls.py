from books import views
from django.contrib import admin
from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

router = SimpleRouter()
router.register("books", views.BookViewSet)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include((router.urls, "api"))),
    path("api/health/", views.health, name="health"),
    path("", views.home, name="home"),
    path("loans/", views.LoanList.as_view(), name="loans"),
    path("loans/<int:pk>/return/", views.return_loan, name="return"),
    re_path(r"^authors/(?P<slug>[-\w]+)/$", views.AuthorPage.as_view(), name="author"),
]
