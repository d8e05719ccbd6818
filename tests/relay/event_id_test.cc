#include "service/relay/event_id.h"

#include "tests/support/catch.h"

using namespace tokenrelay::relay;

TEST_CASE("an event id is ten characters, a dash and a number", "[event_id]") {
  const auto id = parse_event_id("q7m2k9xwab-57");
  REQUIRE(id);
  CHECK(id->run == "q7m2k9xwab");
  CHECK(id->seq == 57);
  CHECK(parse_event_id("aaaaaaaaaa-0")->seq == 0);
  CHECK(parse_event_id("aaaaaaaaaa-18446744073709551615")->seq == UINT64_MAX);
  CHECK(parse_event_id("aaaaaaaaaa-99999999999999999999")->seq == UINT64_MAX);  // well-formed, names nothing
}

TEST_CASE("anything else is malformed", "[event_id]") {
  const std::string_view text = GENERATE(
      as<std::string_view>{}, "", "-", "1", "aaaaaaaaaa", "aaaaaaaaaa-", "aaaaaaaaa-1", "aaaaaaaaaaa-1", "Aaaaaaaaaa-1",
      "aaaaa.aaaa-1", "aaaaaaaaaa_1", "aaaaaaaaaa--1", "aaaaaaaaaa-+1", "aaaaaaaaaa-01", "aaaaaaaaaa-1 ",
      " aaaaaaaaaa-1", "aaaaaaaaaa-1a", "aaaaaaaaaa-0x1", "aaaaaaaaaa-999999999999999999999", "aaaaaaaaaa-1\n",
      "\xc3\xa4"
      "aaaaaaaa-1");
  INFO(text);
  CHECK_FALSE(parse_event_id(text));
}

TEST_CASE("an id is written with the run that its event belongs to", "[event_id]") {
  const std::vector<Run> runs = {{"aaaaaaaaaa", 1, 5}, {"bbbbbbbbbb", 6, 5}, {"cccccccccc", 6, 9}};
  CHECK(event_id(runs, 0).empty());
  CHECK(event_id(runs, 1) == "aaaaaaaaaa-1");
  CHECK(event_id(runs, 5) == "aaaaaaaaaa-5");
  CHECK(event_id(runs, 6) == "cccccccccc-6");  // the run between made nothing durable
  for (Seq seq = 1; seq <= 9; ++seq) {
    const auto back = parse_event_id(event_id(runs, seq));
    REQUIRE(back);
    CHECK(back->seq == seq);
    CHECK(judge(runs, 9, *back) == Verdict::exact);
  }
}

TEST_CASE("exact if and only if the run is one of the stream's and made the seq durable", "[event_id]") {
  const std::vector<Run> runs = {{"aaaaaaaaaa", 1, 5}, {"bbbbbbbbbb", 6, 5}, {"cccccccccc", 6, 9}};
  const auto verdict = [&](const char* id, Seq durable = 9) { return judge(runs, durable, *parse_event_id(id)); };
  CHECK(verdict("aaaaaaaaaa-1") == Verdict::exact);
  CHECK(verdict("aaaaaaaaaa-5") == Verdict::exact);
  CHECK(verdict("cccccccccc-6") == Verdict::exact);
  CHECK(verdict("cccccccccc-9") == Verdict::exact);
  CHECK(verdict("aaaaaaaaaa-0") == Verdict::reset);  // names no event
  CHECK(verdict("aaaaaaaaaa-6") == Verdict::reset);  // a dead relay promised nothing beyond 5
  CHECK(verdict("bbbbbbbbbb-6") == Verdict::reset);  // made nothing durable
  CHECK(verdict("cccccccccc-5") == Verdict::reset);  // before that run
  CHECK(verdict("cccccccccc-10") == Verdict::reset);
  CHECK(verdict("cccccccccc-9", 8) == Verdict::reset);  // not durable yet
  CHECK(verdict("dddddddddd-3") == Verdict::reset);     // another stream's
}

TEST_CASE("verdicts have the contract's names", "[event_id]") {
  CHECK(name_of(Verdict::start) == "start");
  CHECK(name_of(Verdict::exact) == "exact");
  CHECK(name_of(Verdict::reset) == "reset");
}
