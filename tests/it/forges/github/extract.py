"""Cuts openapi.json out of GitHub's OpenAPI description.

usage: extract.py api.github.com.json > openapi.json

Takes what this project asks: parameters, bodies, and of answers the fields that the fake gives. Words and
examples are left out.
"""

import json
import sys

USER = {"login": {}, "type": {}}
REPO = {"name": {}, "full_name": {}}
BRANCH = {"label": {}, "ref": {}, "sha": {}, "repo": REPO}
LABEL = {"name": {}, "color": {}, "default": {}}
PULL = {
    **{name: {} for name in (
        "number node_id html_url state title body draft created_at closed_at merged_at "
        "merge_commit_sha").split()},
    "user": USER, "labels": LABEL, "requested_reviewers": USER,
    "requested_teams": {"slug": {}, "name": {}, "html_url": {}},
    "head": BRANCH, "base": BRANCH, "auto_merge": {"merge_method": {}, "enabled_by": USER},
}
WHOLE = {**PULL, "merged": {}, "merged_by": USER}
REVIEW = {"id": {}, "user": USER, "state": {}, "body": {}, "commit_id": {}, "submitted_at": {}}
STATUS = {"context": {}, "state": {}, "description": {}, "target_url": {}}
REF = {"ref": {}, "object": {"type": {}, "sha": {}}}
R = "/repos/{owner}/{repo}"
WANTED = [
    ("post", "/app/installations/{installation_id}/access_tokens", "201",
     {"token": {}, "expires_at": {}}),
    ("get", f"{R}/pulls", "200", PULL),
    ("post", f"{R}/pulls", "201", WHOLE),
    ("get", f"{R}/pulls/{{pull_number}}", "200", WHOLE),
    ("patch", f"{R}/pulls/{{pull_number}}", "200", WHOLE),
    ("put", f"{R}/pulls/{{pull_number}}/merge", "200", {"sha": {}, "merged": {}, "message": {}}),
    ("get", f"{R}/pulls/{{pull_number}}/reviews", "200", REVIEW),
    ("put", f"{R}/pulls/{{pull_number}}/reviews/{{review_id}}/dismissals", "200", REVIEW),
    ("post", f"{R}/pulls/{{pull_number}}/requested_reviewers", "201", PULL),
    ("get", f"{R}/issues/{{issue_number}}", "200",
     {"number": {}, "state": {}, "title": {}, "closed_by": USER}),
    ("post", f"{R}/issues/{{issue_number}}/labels", "200", LABEL),
    ("post", f"{R}/issues/{{issue_number}}/comments", "201", {"id": {}, "body": {}, "user": USER}),
    ("post", f"{R}/statuses/{{sha}}", "201", STATUS),
    ("get", f"{R}/commits/{{ref}}/status", "200",
     {"sha": {}, "state": {}, "total_count": {}, "statuses": STATUS}),
    ("get", f"{R}/commits/{{ref}}/check-runs", "200",
     {"total_count": {}, "check_runs": {"name": {}, "head_sha": {}, "status": {}, "conclusion": {}}}),
    ("get", f"{R}/commits/{{commit_sha}}/pulls", "200", PULL),
    ("get", f"{R}/git/ref/{{ref}}", "200", REF),
    ("post", f"{R}/git/refs", "201", REF),
]
KEPT = ("type", "enum", "required", "nullable", "minItems")

with open(sys.argv[1], encoding="utf-8") as file:
    WHOLE_API = json.load(file)


def resolved(node):
    while "$ref" in node:
        target = WHOLE_API
        for part in node["$ref"].split("/")[1:]:
            target = target[part]
        node = target
    return node


def body(schema):
    """A request body's schema, whole but for its words."""
    schema = resolved(schema)
    out = {name: schema[name] for name in KEPT if name in schema}
    for name in ("oneOf", "anyOf"):
        if name in schema:
            out[name] = [body(one) for one in schema[name]]
    if "properties" in schema:
        out["properties"] = {name: body(one) for name, one in schema["properties"].items()}
    if "items" in schema:
        out["items"] = body(schema["items"])
    return out


def answer(schema, keep):
    """An answer's schema, as far as it is kept; fails on a field that GitHub does not have."""
    schema = resolved(schema)
    for name in ("oneOf", "anyOf", "allOf"):
        for one in schema.get(name, []):
            if resolved(one).get("type", "object") != "null":
                found = answer(one, keep)
                if found is not None:
                    nullable = schema.get("nullable", False)
                    return {**found, "nullable": True} if nullable else found
    out = {name: schema[name] for name in ("type", "enum", "nullable") if name in schema}
    if "items" in schema:
        out["items"] = answer(schema["items"], keep)
    elif keep:
        properties = schema.get("properties", {})
        if not set(keep) <= set(properties):
            return None
        out["properties"] = {name: answer(properties[name], of) for name, of in keep.items()}
    return out


def cut(method, path, status, keep):
    operation = WHOLE_API["paths"][path][method]
    parameters = [resolved(one) for one in operation.get("parameters", [])]
    out = {
        "query": {one["name"]: body(one["schema"]) for one in parameters if one["in"] == "query"},
        "statuses": sorted(operation["responses"]),
    }
    if "requestBody" in operation:
        out["body"] = body(operation["requestBody"]["content"]["application/json"]["schema"])
    content = resolved(operation["responses"][status])["content"]["application/json"]
    out["answer"] = answer(content["schema"], keep)
    assert out["answer"] is not None, (method, path)
    return out


paths = {}
for method, path, status, keep in WANTED:
    paths.setdefault(path, {})[method] = cut(method, path, status, keep)
info = WHOLE_API["info"]
source = "an extract of GitHub's OpenAPI description, as in the npm package @octokit/openapi"
print(json.dumps({"source": source, "version": info["version"], "license": "MIT", "paths": paths}, indent=1))
