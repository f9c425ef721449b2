"""A guest book in Flask.  Nothing in it knows of mongrel2: `flask --app guestbook run` serves it as well."""

import hashlib
import os

from flask import Flask, Response, redirect, render_template_string, request, session, url_for

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or os.urandom(32)

PAGE = """<!doctype html>
<title>Guest book</title>
<h1>Guest book</h1>
<form method="post" action="{{ url_for('sign') }}">
  <input name="name" value="{{ session.name or '' }}" placeholder="name" maxlength="40" required>
  <input name="text" placeholder="what you have to say" maxlength="400" required>
  <button>Sign</button>
</form>
{% for name, text in entries %}<p><b>{{ name }}</b> {{ text }}</p>
{% endfor %}"""

entries = []  # of this process, the last ones first


@app.get("/")
def book():
    return render_template_string(PAGE, entries=entries)


@app.post("/")
def sign():
    session["name"] = request.form["name"][:40]
    entries.insert(0, (session["name"], request.form["text"][:400]))
    del entries[100:]
    return redirect(url_for("book"))


@app.put("/digest")
def digest():
    """The SHA-256 of what is uploaded, of any length."""
    made = hashlib.sha256()
    while piece := request.stream.read(65536):
        made.update(piece)
    return f"{made.hexdigest()}\n"


@app.get("/lines/<int:count>")
def lines(count):
    """As many lines as are asked for, one after the other."""
    return Response((f"{number:099}\n" for number in range(count)), mimetype="text/plain")
