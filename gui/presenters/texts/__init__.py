"""All words of the window, by pane; imported from here alone. Sentences say what happened, what is kept, what to do."""

from gui.presenters.texts.charts import *
from gui.presenters.texts.exporting import *
from gui.presenters.texts.images import *
from gui.presenters.texts.nodes import *
from gui.presenters.texts.people import *
from gui.presenters.texts.states import *
from gui.presenters.texts.tree import *
from gui.presenters.texts.window import *
