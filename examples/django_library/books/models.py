from __future__ import annotations

import uuid
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver

returned = Signal()


class Stamped(models.Model):
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Note(models.Model):
    """A remark on anything."""

    text = models.TextField()
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveIntegerField()
    about = GenericForeignKey("content_type", "object_id")


class Author(Stamped):
    name = models.CharField(max_length=100, help_text="As printed on the cover.")
    slug = models.SlugField(unique=True)


class BookQuerySet(models.QuerySet["Book"]):
    def available(self, at_least: int = 1) -> BookQuerySet:
        return self.filter(copies__gte=at_least)


class Book(Stamped):
    class Binding(models.TextChoices):
        HARD = "H", "hardback"
        PAPER = "P", "paperback"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200, db_index=True)
    isbn = models.CharField(max_length=13, unique=True, validators=[RegexValidator(r"^\d{13}$")])
    binding = models.CharField(max_length=1, choices=Binding.choices, default=Binding.PAPER)
    copies = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(0)])
    shelf = models.CharField(max_length=20, null=True, blank=True)
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="books")
    editors = models.ManyToManyField(Author, through="Editing", related_name="edited")
    sequel_to = models.OneToOneField("self", on_delete=models.SET_NULL, null=True, related_name="sequel")
    notes = GenericRelation(Note)

    objects = BookQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(copies__gte=0), name="copies_not_negative"),
            models.UniqueConstraint(fields=["title", "author"], name="one_title_an_author"),
        ]
        indexes = [models.Index(fields=["shelf", "title"], name="by_shelf")]

    def clean(self) -> None:
        self.title = self.title.strip()

    @property
    def is_loanable(self) -> bool:
        return self.copies > 0


class Editing(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    role = models.CharField(max_length=20)

    class Meta:
        unique_together = [("book", "author")]


class AudioBook(Book):
    minutes = models.PositiveIntegerField()


class Classic(Book):
    class Meta:
        proxy = True


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="+")
    reader = models.ForeignKey("auth.User", on_delete=models.SET(1), related_name="loans")
    card_token = models.CharField(max_length=40, default="4f9a-default-token")

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)


@receiver(post_save, sender=Loan)
def count_loan(sender: Any, instance: Loan, **kwargs: Any) -> None:
    """Would tell the statistics."""


@receiver(post_save)
def log_everything(sender: Any, **kwargs: Any) -> None:
    """Hears of every model."""


@receiver(returned)
def remind_waiting(sender: Any, **kwargs: Any) -> None:
    """Would write to the next reader."""
