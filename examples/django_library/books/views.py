from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import DetailView, ListView
from rest_framework import serializers, viewsets
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from .models import Author, Book, Loan


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name"]


class BookSerializer(serializers.ModelSerializer):
    """A book in requests and responses."""

    author = AuthorSerializer(read_only=True)
    secret = serializers.CharField(write_only=True)

    class Meta:
        model = Book
        fields = ["id", "title", "isbn", "author", "secret", "is_loanable"]


class BookViewSet(viewsets.ModelViewSet):
    queryset = Book.objects.all()
    serializer_class = BookSerializer
    permission_classes = [IsAuthenticated & (IsAdminUser | AllowAny)]

    @action(detail=True, methods=["post"], permission_classes=[IsAdminUser])
    def retire(self, request: Request, pk: str) -> Response:
        return Response()


@api_view(["GET", "POST"])
@permission_classes([AllowAny])
def health(request: Request) -> Response:
    return Response({"books": Book.objects.count()})


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Welcome.")


@login_required
@require_POST
def return_loan(request: HttpRequest, pk: int) -> HttpResponse:
    Loan.objects.get(pk=pk).delete()
    return HttpResponse()


class LoanList(LoginRequiredMixin, ListView):
    model = Loan


@method_decorator(never_cache, name="dispatch")
class AuthorPage(DetailView):
    queryset = Author.objects.all()
