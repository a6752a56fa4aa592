"""The desk for analyses: how far each is, what came of it, what it cost; tried again, called off, run again."""

from analysis.admin.answers import ModelAnswerAdmin
from analysis.admin.chats import ChatMessageAdmin
from analysis.admin.posts import PostAnalysisAdmin
from analysis.admin.requests import PostAnalysisRequestAdmin

__all__ = ["ChatMessageAdmin", "ModelAnswerAdmin", "PostAnalysisAdmin", "PostAnalysisRequestAdmin"]
