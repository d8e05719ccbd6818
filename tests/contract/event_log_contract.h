// What every EventLog keeps, whatever it is made of. An implementation's tests call check_event_log_contract() from a
// TEST_CASE with a factory of its harness; each section gets a fresh, empty log.
#pragma once

#include <algorithm>

#include "tests/contract/log_harness.h"
#include "tests/support/catch.h"

namespace tokenrelay::storage {

using HarnessFactory = std::function<std::unique_ptr<LogHarness>()>;

inline void check_create(LogHarness& h) {
  SECTION("a created stream is durable with its start event and its run") {
    auto made = h.create(h.stream("strm_a"));
    REQUIRE(made);
    CHECK_FALSE(made->existing);
    CHECK(made->stream_id == "strm_a");
    REQUIRE(made->run.size() == 10);
    CHECK(made->run.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos);
    auto row = h.find("strm_a");
    REQUIRE(row);
    CHECK(row->key == made->key);
    CHECK(row->status.empty());
    CHECK(row->model == "m");
    CHECK(row->created_ms == 1000);
    CHECK(row->last_seq == 1);
    REQUIRE(row->runs.size() == 1);
    CHECK(row->runs[0].token == made->run);
    CHECK(row->runs[0].first_seq == 1);
    CHECK(row->runs[0].last_seq == 1);
    CHECK(h.events(made->key) == std::vector<Event>{{1, EventKind::start, "{\"start\":\"strm_a\"}"}});
    auto by_run = h.find_run(made->run);
    REQUIRE(by_run);
    CHECK(by_run->stream_id == "strm_a");
  }
  SECTION("what is unknown is not found") {
    CHECK(h.find("strm_none").error().code == Errc::not_found);
    CHECK(h.find_run("aaaaaaaaaa").error().code == Errc::not_found);
    CHECK(h.read(77, 0, 1000).error().code == Errc::not_found);
    CHECK(h.request(77).error().code == Errc::not_found);
    CHECK(h.remove("strm_none", 1).error().code == Errc::not_found);
  }
  SECTION("a stream id is taken once") {
    REQUIRE(h.create(h.stream("strm_a")));
    CHECK_FALSE(h.create(h.stream("strm_a")));
    CHECK(h.find("strm_a")->last_seq == 1);
  }
}

inline void check_idempotency(LogHarness& h) {
  auto keyed = [&](const std::string& id, const std::string& hash) {
    NewStream s = h.stream(id);
    s.idempotency_key = "owner/route/k";
    s.body_hash = hash;
    return s;
  };
  SECTION("the same key with the same body answers the first stream") {
    auto first = h.create(keyed("strm_a", std::string("h\0h", 3)));
    auto second = h.create(keyed("strm_b", std::string("h\0h", 3)));
    REQUIRE(second);
    CHECK(second->existing);
    CHECK(second->key == first->key);
    CHECK(second->stream_id == "strm_a");
    CHECK(second->run == first->run);
    CHECK(h.find("strm_b").error().code == Errc::not_found);
  }
  SECTION("with another body it is refused") {
    REQUIRE(h.create(keyed("strm_a", "h1")));
    CHECK(h.create(keyed("strm_b", "h2")).error().code == Errc::key_reused);
  }
  SECTION("of twins in flight one creates, and all get its answer") {
    std::vector<Result<Created>> answers;
    for (int i = 0; i < 50; ++i) {
      h.log().create(keyed("strm_" + std::to_string(i), "h"),
                     [&](Result<Created> r) { answers.push_back(std::move(r)); });
    }
    REQUIRE(h.loop().run_until([&] { return answers.size() == 50; }));
    CHECK(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a && !a->existing; }) == 1);
    for (const auto& a : answers) {
      REQUIRE(a);
      CHECK(a->key == answers[0]->key);
    }
  }
  SECTION("a key lives as long as its stream") {
    auto first = h.create(keyed("strm_a", "h1"));
    h.finish(first->key, 2);
    CHECK(h.create(keyed("strm_b", "h1"))->existing);
    REQUIRE(h.remove("strm_a", 5000));
    auto again = h.create(keyed("strm_c", "h2"));
    REQUIRE(again);
    CHECK_FALSE(again->existing);
  }
}

inline void check_append(LogHarness& h) {
  SECTION("events are read back as they were, from any place, in blocks of any size") {
    StreamKey key = h.make("strm_a");
    std::vector<Event> expected{{1, EventKind::start, "{\"start\":\"strm_a\"}"}};
    std::string bytes("with \0 zero and \xff bytes", 23);
    EventView some[] = {{EventKind::text, "Hel"}, {EventKind::reasoning, ""}, {EventKind::tool_call, bytes}};
    for (int i = 0; i < 200; ++i) {
      h.log().append(key, expected.back().seq + 1, some);
      for (const auto& e : some) expected.push_back({expected.back().seq + 1, e.kind, std::string(e.payload)});
    }
    REQUIRE(h.wait_durable(key, 601));
    for (size_t max : {size_t{1}, size_t{100}, size_t{64} << 10}) CHECK(h.events(key, 0, max) == expected);
    for (Seq after : {Seq{0}, Seq{1}, Seq{300}, Seq{600}}) {
      CHECK(h.events(key, after) ==
            std::vector<Event>(expected.begin() + static_cast<ptrdiff_t>(after), expected.end()));
    }
    CHECK(h.events(key, 601).empty());
    CHECK(h.events(key, 9999).empty());
  }
  SECTION("many streams at once keep their own order") {
    std::vector<StreamKey> keys;
    for (int i = 0; i < 20; ++i) keys.push_back(h.make("strm_" + std::to_string(i)));
    for (Seq seq = 2; seq <= 101; ++seq) {
      for (StreamKey k : keys) h.text(k, seq, std::to_string(k) + "/" + std::to_string(seq));
    }
    for (StreamKey k : keys) {
      REQUIRE(h.wait_durable(k, 101));
      auto events = h.events(k);
      REQUIRE(events.size() == 101);
      for (Seq seq = 2; seq <= 101; ++seq)
        CHECK(events[seq - 1].payload == std::to_string(k) + "/" + std::to_string(seq));
    }
  }
  SECTION("nothing is read before it is reported durable") {
    StreamKey key = h.make("strm_a");
    for (Seq seq = 2; seq < 500; ++seq) {
      h.text(key, seq, "x");
      auto block = h.read(key, 0, 1 << 20);
      REQUIRE(block);
      // on_durable of the commit may still be on its way; it comes, and covers everything that was read.
      REQUIRE(h.wait_durable(key, (*block)->entries.back().seq));
    }
  }
}

inline void check_finish(LogHarness& h) {
  NewStream s = h.stream("strm_a");
  s.request = "{\"prompt\":\"p\"}";
  s.metadata = "{\"a\":\"b\"}";
  auto made = h.create(s);
  h.text(made->key, 2, "x");
  CHECK(h.request(made->key).value() == s.request);
  SECTION("the row closes with the terminal event, and the request goes") {
    h.finish(made->key, 3, 4321, "failed");
    auto row = h.find("strm_a");
    REQUIRE(row);
    CHECK(row->status == "failed");
    CHECK(row->done == "{\"status\":\"failed\"}");
    CHECK(row->finished_ms == 4321);
    CHECK(row->last_seq == 3);
    CHECK(row->runs[0].last_seq == 3);
    CHECK(row->metadata == s.metadata);
    CHECK(h.events(made->key).back() == Event{3, EventKind::done, "{\"status\":\"failed\"}"});
    CHECK(h.request(made->key).error().code == Errc::not_found);
  }
  SECTION("everything is there after a restart") {
    h.finish(made->key, 3);
    auto before = h.events(made->key);
    h.reopen();
    CHECK(h.find("strm_a")->status == "completed");
    CHECK(h.events(made->key) == before);
  }
  SECTION("what is kept for a continuation goes with the stream, and is no event") {
    h.log().keep_continuation(made->key, "token");
    h.finish(made->key, 3);
    CHECK(h.find("strm_a")->continuation == "");
    CHECK(h.events(made->key).size() == 3);
  }
  SECTION("a restart interrupts what was unfinished, under a new run") {
    REQUIRE(h.wait_durable(made->key, 2));
    h.reopen();
    auto row = h.find("strm_a");
    REQUIRE(row);
    CHECK(row->status == "interrupted");
    CHECK(row->last_seq == 3);
    REQUIRE(row->runs.size() == 2);
    CHECK(row->runs[0].token == made->run);
    CHECK(row->runs[0].last_seq == 2);
    CHECK(row->runs[1].first_seq == 3);
    CHECK(row->runs[1].last_seq == 3);
    CHECK(row->runs[1].token != made->run);
    CHECK(h.find_run(row->runs[1].token)->key == made->key);
    auto events = h.events(made->key);
    REQUIRE(events.size() == 3);
    CHECK(events[2].kind == EventKind::done);
    StreamKey next = h.make("strm_next");
    CHECK(next > made->key);
  }
}

inline void check_list(LogHarness& h) {
  std::vector<StreamKey> keys;
  for (int i = 0; i < 7; ++i) {
    NewStream s = h.stream("strm_" + std::to_string(i));
    s.owner = i % 2 ? "odd" : "";
    keys.push_back(h.create(s)->key);
  }
  auto page = h.list("", std::nullopt, 3);
  REQUIRE(page);
  REQUIRE(page->rows.size() == 3);
  CHECK(page->rows[0].stream_id == "strm_6");
  CHECK(page->rows[2].stream_id == "strm_2");
  CHECK(page->rows[0].last_seq == 1);
  REQUIRE(page->next);
  auto rest = h.list("", page->next, 3);
  REQUIRE(rest->rows.size() == 1);
  CHECK(rest->rows[0].stream_id == "strm_0");
  CHECK_FALSE(rest->next);
  CHECK(h.list("odd", std::nullopt, 100)->rows.size() == 3);
  CHECK(h.list("nobody", std::nullopt, 100)->rows.empty());
}

inline void check_list_bytes(LogHarness& h) {
  for (int i = 0; i < 5; ++i) {
    NewStream s = h.stream("strm_" + std::to_string(i));
    s.metadata = std::string(i == 3 ? 3'000 : 400, 'x');
    h.create(s);
  }
  const auto page_after = [&](std::optional<StreamKey> before) {
    auto page = h.list("", before, 100, 1'000);
    REQUIRE(page);
    return *page;
  };
  auto page = page_after(std::nullopt);
  REQUIRE(page.rows.size() == 1);  // the next row is larger than what is left
  CHECK(page.rows[0].stream_id == "strm_4");
  page = page_after(page.next.value());
  REQUIRE(page.rows.size() == 1);  // however large
  CHECK(page.rows[0].stream_id == "strm_3");
  CHECK(page.rows[0].metadata.size() == 3'000);
  page = page_after(page.next.value());
  REQUIRE(page.rows.size() == 2);
  page = page_after(page.next.value());
  CHECK(page.rows.size() == 1);
  CHECK_FALSE(page.next);
}

inline void check_remove(LogHarness& h) {
  auto made = h.create(h.stream("strm_a"));
  SECTION("an unfinished stream is not removed") {
    CHECK(h.remove("strm_a", 1).error().code == Errc::not_found);
    CHECK(h.find("strm_a"));
  }
  SECTION("a removed stream is gone everywhere, also after a restart") {
    h.finish(made->key, 2);
    REQUIRE(h.remove("strm_a", 5000));
    for (int i = 0; i < 2; ++i) {
      CHECK(h.find("strm_a").error().code == Errc::gone);
      CHECK(h.find_run(made->run).error().code == Errc::not_found);
      CHECK(h.read(made->key, 0, 100).error().code == Errc::not_found);
      CHECK(h.list("", std::nullopt, 10)->rows.empty());
      CHECK(h.remove("strm_a", 6000).error().code == Errc::gone);
      CHECK(h.expired(1'000'000, 0, 10)->empty());
      h.reopen();
    }
  }
}

inline void check_expired(LogHarness& h) {
  std::vector<StreamKey> keys;
  for (int i = 0; i < 5; ++i) {
    keys.push_back(h.make("strm_" + std::to_string(i)));
    h.text(keys.back(), 2, std::string(10'000, 'x'));
  }
  for (int i = 3; i >= 0; --i) h.finish(keys[static_cast<size_t>(i)], 3, 1000 + i);  // the last one goes on
  constexpr uint64_t all_events = uint64_t{1} << 60;
  CHECK(h.expired(1000, all_events, 10)->empty());
  auto by_time = h.expired(1002, all_events, 10);
  REQUIRE(by_time->size() == 2);
  CHECK((*by_time)[0].stream_id == "strm_0");
  CHECK((*by_time)[1].stream_id == "strm_1");
  CHECK(h.expired(1002, all_events, 1)->size() == 1);
  auto by_size = h.expired(0, 25'000, 10);  // four of about 10 b and some: two fit
  REQUIRE(by_size->size() == 2);
  CHECK((*by_size)[0].stream_id == "strm_0");
  CHECK((*by_size)[1].stream_id == "strm_1");
  REQUIRE(h.remove("strm_0", 5000));
  CHECK(h.expired(0, 25'000, 10)->size() == 1);
  CHECK(h.expired(0, 0, 10)->size() == 3);
}

inline void check_event_log_contract(const HarnessFactory& factory) {
  auto h = factory();
  SECTION("create") {
    check_create(*h);
  }
  SECTION("idempotency keys") {
    check_idempotency(*h);
  }
  SECTION("append and read") {
    check_append(*h);
  }
  SECTION("finish and restart") {
    check_finish(*h);
  }
  SECTION("list") {
    check_list(*h);
  }
  SECTION("a page ends by bytes, too") {
    check_list_bytes(*h);
  }
  SECTION("remove") {
    check_remove(*h);
  }
  SECTION("expired") {
    check_expired(*h);
  }
}

}  // namespace tokenrelay::storage
