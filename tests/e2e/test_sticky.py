"""Video jobs, files, batches and voices belong to an account: their follow-ups go there, also after a restart."""
import json

import pytest

from harness import Proxy, key, wait_until

A, B, C = (key(name) for name in "abc")
VIDEO = {"model": "Wan-AI/Wan2.2-T2V-A14B", "prompt": "猫"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def form(**parts):
    """A multipart body; `file` is a file."""
    out = b""
    for name, value in parts.items():
        extra = '; filename="x.jsonl"' if name == "file" else ""
        out += f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'.encode()
    return out + b"--b--\r\n"


def ask(p, method, path, body=None, headers=None):
    status, head, answer = p.request(method, path, body, headers)
    try:
        return status, json.loads(answer)
    except ValueError:
        return status, answer


def upload(p):
    status, file = ask(p, "POST", "/v1/files", form(purpose="batch", file="{}"), FORM)
    assert status == 200
    return file["data"]["id"]


def batch(p, file):
    status, made = ask(p, "POST", "/v1/batches", {"input_file_id": file, "endpoint": "/v1/chat/completions",
                                                  "completion_window": "24h"})
    assert status == 200, made
    return made["id"]


def voice(p, name="n"):
    status, made = ask(p, "POST", "/v1/uploads/audio/voice",
                       form(model="FunAudioLLM/CosyVoice2-0.5B", customName=name, text="你好", file="RIFF"), FORM)
    assert status == 200
    return made["uri"]


def keys_of(standin, path=None):
    return [r["key"] for r in standin.requests() if path is None or r["path"] == path]


def jobs(p, kind=None):
    return [j for j in p.snapshot()["jobs"] if kind is None or j["kind"] == kind]


@pytest.fixture
def accounts(standin):
    """Accounts with names of their own: else the stand-in calls them by their keys, and puts that into voice uris."""
    standin.script(keys=[{"key": k, "account": f"acct{n}"} for k, n in ((A, "a"), (B, "b"), (C, "c"))])


@pytest.fixture
def three(accounts, start):
    return start([A, B, C])


# --- follow-ups ---
def test_video_jobs_go_back_to_their_account(three, standin):
    ids = [ask(three, "POST", "/v1/video/submit", VIDEO)[1]["requestId"] for _ in range(6)]
    owners = keys_of(standin)
    assert len(set(owners)) == 3  # the jobs were spread
    standin.ask("GET", "report")
    for _ in range(3):
        for i, job in enumerate(ids):
            status, answer = ask(three, "POST", "/video/status", {"requestId": job})
            assert status == 200 and answer["status"] in ("InQueue", "InProgress", "Succeed")
            assert standin.requests()[-1]["key"] == owners[i]
    assert len(standin.requests()) == 6 + 18  # never a second account
    seen = jobs(three, "video")
    assert {j["id"] for j in seen} == set(ids) and all(0 <= j["age_s"] < 60 for j in seen)


def test_files_and_batches_go_back_to_their_account(three, standin):
    for _ in range(3):
        file = upload(three)
        owner = standin.requests()[-1]["key"]
        made = batch(three, file)
        for method, path in (("GET", f"/v1/files/{file}"), ("GET", f"/files/{file}/content"),
                             ("GET", f"/v1/batches/{made}"), ("GET", f"/v1/batches/{made}"),
                             ("HEAD", f"/v1/files/{file}")):
            assert ask(three, method, path)[0] in (200, 404 if method == "HEAD" else 200)
            assert standin.requests()[-1]["key"] == owner
        output = ask(three, "GET", f"/v1/batches/{made}")[1]["output_file_id"]
        assert three.request("GET", f"/v1/files/{output}/content")[2] == f"content of {output}\n".encode()
        assert standin.requests()[-1]["key"] == owner
        assert ask(three, "POST", f"/v1/batches/{made}/cancel")[0] == 200
        assert ask(three, "DELETE", f"/v1/files/{file}")[1]["deleted"] is True
        assert {r["key"] for r in standin.requests()[-9:]} == {owner}
        assert not [j for j in jobs(three) if j["id"] == file]


def test_voices_go_back_to_their_account(three, standin):
    uris = [voice(three, f"n{i}") for i in range(3)]
    owners = keys_of(standin)
    assert len(set(owners)) == 3
    for uri, owner in zip(uris, owners):
        say = {"model": "FunAudioLLM/CosyVoice2-0.5B", "input": "x", "voice": uri}
        for _ in range(2):
            assert three.request("POST", "/v1/audio/speech", say)[0] == 200
            assert standin.requests()[-1]["key"] == owner
        assert ask(three, "POST", "/v1/audio/voice/deletions", {"uri": uri})[0] == 200
        assert standin.requests()[-1]["key"] == owner
    assert jobs(three, "voice") == []


def test_the_platforms_own_voices_are_anybodys(three, standin):
    for _ in range(3):
        say = {"model": "FunAudioLLM/CosyVoice2-0.5B", "input": "x", "voice": "FunAudioLLM/CosyVoice2-0.5B:alex"}
        assert three.request("POST", "/v1/audio/speech", say)[0] == 200
    assert len(set(keys_of(standin))) == 3


def test_any_key_of_the_account_will_do(start, standin):
    standin.script(keys=[{"key": A, "account": "X"}, {"key": B, "account": "X"}, {"key": C, "account": "Y"}])
    p = start([f"a = {A} account=X", f"b = {B} account=X", f"c = {C} account=Y"])
    file = upload(p)
    while standin.requests()[-1]["key"] == C:
        file = upload(p)
    made_by = standin.requests()[-1]["key"]
    for _ in range(4):
        assert ask(p, "GET", f"/v1/files/{file}")[0] == 200
    assert {r["key"] for r in standin.requests()[-4:]} == {A, B}
    p.api("POST", f"keys/{p.key('a' if made_by == A else 'b')['id']}/disable")
    assert ask(p, "GET", f"/v1/files/{file}")[0] == 200
    assert standin.requests()[-1]["key"] == (B if made_by == A else A)
    job, = [j for j in jobs(p) if j["id"] == file]
    assert job["account"] == "X"


# --- the owner cannot ---
def test_the_owner_is_cooling(three, standin):
    file = upload(three)
    owner = standin.requests()[-1]["key"]
    standin.rules({"match": {"key": owner}, "times": 1, "act": {"preset": "429_rpm"}})
    before = len(standin.requests())
    status, answer = ask(three, "GET", f"/v1/files/{file}")
    assert status == 429 and answer["error"]["code"] == "all_cooling"
    status, head, body = three.request("GET", f"/v1/files/{file}")
    answer = json.loads(body)["error"]
    assert (status, answer["code"]) == (429, "all_cooling") and int(head["retry-after"]) > 0
    assert f"the account that owns the file {file} is cooling down" in answer["message"]
    assert len(standin.requests()) == before + 1


def test_the_owner_is_off(three, standin):
    _, job = ask(three, "POST", "/v1/video/submit", VIDEO)
    label = {A: "k0", B: "k1", C: "k2"}[standin.requests()[-1]["key"]]
    three.api("POST", f"keys/{three.key(label)['id']}/disable")
    status, answer = ask(three, "POST", "/v1/video/status", job)
    assert (status, answer["error"]["code"]) == (503, "no_usable_key")
    assert "every key of the account that owns the video job" in answer["error"]["message"]
    assert len(standin.requests()) == 1


def test_a_creation_is_sent_once(three, standin):
    standin.rules({"match": {"path": "/v1/video/submit"}, "times": 1, "act": {"preset": "500"}},
                  {"match": {"path": "/v1/files"}, "times": 1, "act": {"preset": "500"}},
                  {"match": {"path": "/v1/uploads/audio/voice"}, "times": 1, "act": {"preset": "429_rpm"}})
    assert ask(three, "POST", "/v1/video/submit", VIDEO)[0] == 502
    assert ask(three, "POST", "/v1/files", form(purpose="batch", file="{}"), FORM)[0] == 502
    assert len(standin.requests()) == 2
    voice(three)  # a refusal did nothing: the next account
    assert len(standin.requests()) == 4


# --- unknown ids ---
def stranger(standin, three, path, body, headers=None):
    """Something made behind the proxy's back, with key C."""
    from harness import request
    status, _, answer = request(standin.address, "POST", path, body, {"Authorization": "Bearer " + C, **(headers or {})})
    assert status == 200
    return json.loads(answer)


def test_an_unknown_id_is_asked_around_and_learned(three, standin):
    file = stranger(standin, three, "/v1/files", form(purpose="batch", file="{}"), FORM)["data"]["id"]
    job = stranger(standin, three, "/v1/video/submit", json.dumps(VIDEO))["requestId"]
    made = stranger(standin, three, "/v1/batches", json.dumps({"input_file_id": file}))["id"]
    standin.ask("POST", "rules", {"rules": []})
    for method, path, body in (("GET", f"/v1/files/{file}/content", None), ("POST", "/v1/video/status", {"requestId": job}),
                               ("GET", f"/v1/batches/{made}", None)):
        before = len(standin.requests())
        assert ask(three, method, path, body)[0] == 200
        keys = [r["key"] for r in standin.requests()[before:]]
        assert keys == [A, B, C]  # one account after the other, each once
        assert ask(three, method, path, body)[0] == 200
        assert [r["key"] for r in standin.requests()[before + 3:]] == [C]
    assert all((k["failed"], k["limited"], k["cooldown_count"]) == (0, 0, 0) for k in three.wait_idle()["keys"])
    assert three.snapshot()["totals"]["rpm"] == 6


def test_nobody_knows_the_id(three, standin):
    status, answer = ask(three, "GET", "/v1/files/file-nothing")
    assert status == 404 and answer["message"] == "file not found."  # the platform's own words
    assert keys_of(standin) == [A, B, C]
    status, answer = ask(three, "POST", "/v1/video/status", {"requestId": "nothing"})
    assert status == 400 and answer["message"] == "requestId not found."
    assert jobs(three) == []


def test_an_account_that_cannot_be_asked_is_told(three, standin):
    standin.rules({"match": {"key": B}, "times": 1, "act": {"preset": "429_rpm"}})
    status, answer = ask(three, "GET", "/v1/files/file-nothing")
    assert (status, answer["error"]["code"]) == (503, "upstream_unavailable")
    assert "2 of 3 accounts do not know the file file-nothing, and 1 could not be asked" in answer["error"]["message"]
    assert keys_of(standin) == [A, B, C]


def test_a_dead_account_does_not_stop_the_search(three, standin):
    file = stranger(standin, three, "/v1/files", form(purpose="batch", file="{}"), FORM)["data"]["id"]
    standin.rules({"match": {"key": A}, "act": {"preset": "500"}}, {"match": {"key": B}, "act": {"preset": "403_forbidden"}})
    assert ask(three, "GET", f"/v1/files/{file}")[0] == 200
    assert all(k["cooldown_count"] == 0 for k in three.wait_idle()["keys"] if k["label"] == "k1")  # a 403 may mean "not yours"


@pytest.mark.parametrize("method, path, body, words", [
    ("DELETE", "/v1/files/file-nothing", None, "GET /v1/files/ID or GET /v1/files finds it"),
    ("POST", "/v1/batches", {"input_file_id": "file-nothing"}, "the file file-nothing"),
    ("POST", "/v1/batches/batch_nothing/cancel", {}, "the batch batch_nothing"),
    ("POST", "/v1/audio/voice/deletions", {"uri": "speech:n:a:b"}, "GET /v1/audio/voice/list finds it"),
    ("POST", "/v1/audio/speech", {"model": "m/m", "input": "x", "voice": "speech:n:a:b"}, "the voice speech:n:a:b"),
])
def test_what_changes_something_is_not_tried_around(three, untouched, method, path, body, words):
    status, answer = ask(three, method, path, body)
    assert (status, answer["error"]["code"]) == (404, "not_found")
    assert "it is not known which account owns" in answer["error"]["message"] and words in answer["error"]["message"]
    untouched(three)


def test_with_one_account_every_id_is_its_own(start, standin):
    p = start([A])
    assert ask(p, "DELETE", "/v1/files/file-nothing")[1]["message"] == "file not found."
    assert ask(p, "POST", "/v1/batches", {"input_file_id": "file-nothing"})[0] == 400
    assert len(standin.requests()) == 2


def test_a_voices_uri_names_its_account(start, standin):
    standin.script(keys=[{"key": A, "account": "accta"}, {"key": B, "account": "acctb"}])
    p = start([f"a = {A} account=accta", f"b = {B} account=acctb"])
    uri = stranger_voice(standin)
    say = {"model": "FunAudioLLM/CosyVoice2-0.5B", "input": "x", "voice": uri}
    assert p.request("POST", "/v1/audio/speech", say)[0] == 200
    assert standin.requests()[-1]["key"] == B


def stranger_voice(standin):
    from harness import request
    _, _, answer = request(standin.address, "POST", "/v1/uploads/audio/voice", form(model="m", customName="n", text="t"),
                           {"Authorization": "Bearer " + B, **FORM})
    return json.loads(answer)["uri"]


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/v1/video/status", {}), ("POST", "/v1/video/status", {"requestId": 7}), ("POST", "/v1/batches", {}),
    ("POST", "/v1/video/status", "{"), ("POST", "/v1/audio/voice/deletions", {"uri": "x" * 500})])
def test_a_request_that_names_nothing_is_the_platforms_to_refuse(three, standin, method, path, body):
    assert ask(three, method, path, body)[0] == 400
    assert len(standin.requests()) == 1


def test_escaped_and_repeated_names(three, standin):
    file = upload(three)
    owner = standin.requests()[-1]["key"]
    for body in ('{"input\\u005ffile_id":"' + file + '"}', '{"input_file_id":"x","input_file_id":"' + file + '"}'):
        three.request("POST", "/v1/batches", body)
        assert standin.requests()[-1]["key"] == owner


# --- restart ---
def test_a_restart_remembers(accounts, start, standin):
    p = start([A, B, C])
    file = upload(p)
    _, job = ask(p, "POST", "/v1/video/submit", VIDEO)
    uri = voice(p)
    gone = upload(p)
    ask(p, "DELETE", f"/v1/files/{gone}")
    owners = keys_of(standin)
    before = {(j["kind"], j["id"]) for j in jobs(p)}
    assert before == {("file", file), ("video", job["requestId"]), ("voice", uri)}
    p.stop()
    p.start()
    assert {(j["kind"], j["id"]) for j in jobs(p)} == before
    assert ask(p, "GET", f"/v1/files/{file}")[0] == 200
    assert standin.requests()[-1]["key"] == owners[0]
    assert ask(p, "POST", "/v1/video/status", job)[0] == 200
    assert standin.requests()[-1]["key"] == owners[1]


def test_a_kill_loses_little(start, standin):
    p = start([A, B, C])
    file = upload(p)
    owner = standin.requests()[-1]["key"]
    database = p.state_dir / "state.db"

    def saved():
        import sqlite3
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
            return db.execute("SELECT id FROM sticky").fetchall() == [(file,)]
    wait_until("the id is in state.db", saved)
    p.process.kill()
    p.process.wait()
    p.start()
    assert ask(p, "GET", f"/v1/files/{file}")[0] == 200
    assert [r["key"] for r in standin.requests()][-1] == owner


# --- bytes ---
def test_answers_pass_byte_for_byte(three, standin):
    odd = '{ "requestId" : "k\\u0036c" , "big": 12345678901234567890.0, "x": [1,2 ,3] }'
    standin.rules({"match": {"path": "/v1/video/submit"}, "times": 1, "act": {"status": 200, "body": odd}})
    assert three.request("POST", "/v1/video/submit", VIDEO)[2] == odd.encode()
    assert [j["id"] for j in jobs(three, "video")] == ["k6c"]


@pytest.mark.parametrize("body", ["", "null", "[]", '"text"', '{"requestId":7}', '{"requestId":""}', '{"data":[]}',
                                  '{"requestId":"a\\u0000b"}', '{"requestId":"' + "x" * 300 + '"}', '{"requestId":"x"'])
def test_answers_without_an_id_teach_nothing(three, standin, body):
    standin.rules({"match": {"path": "/v1/video/submit"}, "times": 1, "act": {"status": 200, "body": body}})
    ask(three, "POST", "/v1/video/submit", VIDEO)
    assert jobs(three) == []


# --- lists over all accounts ---
def ids(answer):
    return [i["id"] for i in answer["data"]]


def test_lists_are_merged_newest_first(three, standin):
    made = [batch(three, upload(three)) for _ in range(5)]
    uris = {voice(three, f"n{i}") for i in range(3)}
    assert len({r["key"] for r in standin.requests() if r["path"] == "/v1/files"}) == 3
    before = len(standin.requests())
    status, answer = ask(three, "GET", "/v1/batches")
    assert status == 200 and ids(answer) == made[::-1]
    assert (answer["first_id"], answer["last_id"], answer["has_more"]) == (made[-1], made[0], False)
    assert {r["key"] for r in standin.requests()[before:]} == {A, B, C}
    status, answer = ask(three, "GET", "/files")
    times = [f["createdAt"] for f in answer["data"]["data"]]
    assert answer["code"] == 20000 and len(times) == 5 and times == sorted(times, reverse=True)
    status, answer = ask(three, "GET", "/v1/audio/voice/list")
    assert {v["uri"] for v in answer["results"]} == uris and "partial" not in answer
    assert all((k["failed"], k["limited"]) == (0, 0) for k in three.wait_idle()["keys"])
    assert three.snapshot()["requests"][0]["reason"] == "ok"


def test_lists_in_pages(three):
    made = [batch(three, upload(three)) for _ in range(5)][::-1]
    seen, after = [], ""
    for n, more in ((2, True), (2, True), (1, False)):
        _, page = ask(three, "GET", f"/v1/batches?limit=2&after={after}")
        assert len(page["data"]) == n and page["has_more"] is more and page["last_id"] == ids(page)[-1]
        seen += ids(page)
        after = page["last_id"]
    assert seen == made


def test_a_dead_account_does_not_fail_the_list(three, standin):
    made = [batch(three, upload(three)) for _ in range(3)]
    standin.rules({"match": {"key": B, "method": "GET"}, "act": {"preset": "500"}})
    status, head, body = three.request("GET", "/v1/batches")
    answer = json.loads(body)
    assert status == 200 and len(answer["data"]) == 2 and set(ids(answer)) < set(made)
    assert answer["partial"] is True and head["x-sfproxy-partial"] == "1 of 3 accounts"
    standin.rules({"match": {"method": "GET"}, "act": {"preset": "500"}})
    status, answer = ask(three, "GET", "/v1/batches")
    assert (status, answer["error"]["code"]) == (503, "upstream_unavailable")
    assert "none of the 3 accounts gave its list" in answer["error"]["message"]


def test_a_list_teaches_who_owns_what(three, standin):
    file = stranger(standin, three, "/v1/files", form(purpose="batch", file="{}"), FORM)["data"]["id"]
    assert ask(three, "DELETE", f"/v1/files/{file}")[0] == 404
    ask(three, "GET", "/v1/files")
    assert ask(three, "DELETE", f"/v1/files/{file}")[1]["deleted"] is True
    assert standin.requests()[-1]["key"] == C


def test_two_keys_of_one_account_list_once(start, standin):
    standin.script(keys=[{"key": A, "account": "X"}, {"key": B, "account": "X"}])
    p = start([A, B])
    upload(p)
    assert len(ask(p, "GET", "/v1/files")[1]["data"]["data"]) == 1


def test_elements_of_a_list_pass_byte_for_byte(three, standin):
    odd = '{"id":"batch_a","n":12345678901234567890.10,"s":"\\u4f60"}'
    standin.rules({"match": {"key": A, "path": "/v1/batches"}, "act": {"status": 200, "body": '{"data":[ ' + odd + ' ]}'}})
    assert odd.encode() in three.request("GET", "/v1/batches")[2]


def test_a_client_that_leaves_ends_the_list(three, standin):
    from harness import Wire
    standin.rules({"match": {"path": "/v1/batches"}, "act": {"stall_before_head": True}})
    wire = Wire(three, send=b"GET /v1/batches HTTP/1.1\r\nHost: x\r\n\r\n")
    standin.wait(in_flight=3)
    wire.leave("close")
    standin.wait(cancelled=3, in_flight=0)
