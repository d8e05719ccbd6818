#include "service/relay/generation.h"

#include "service/json/utf8.h"
#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using storage::EventKind;
using upstream::ErrorCode;

namespace {

struct Owning final : Generation::Owner {
  explicit Owning(RelayFixture& fixture) : fixture(fixture) {
    generation = std::make_unique<Generation>(fixture.shard->context(), std::make_shared<Options>(fixture.options),
                                              Route{fixture.upstream, "m"}, "req_1", 40, 7, *this);
  }
  void begin() { generation->begin(support::scripted({"m", "[]", "", "req_1"})); }

  RelayFixture& fixture;
  std::unique_ptr<Generation> generation;
  std::vector<std::pair<EventKind, std::string>> events;
  std::vector<upstream::Outcome> ends;
  int started = 0, prepared_again = 0;
  size_t refuse_after = SIZE_MAX;  // events: then the stream ends by itself
  bool destroy_on_end = false;

  bool append(EventKind kind, std::string_view payload) override {
    events.emplace_back(kind, payload);
    if (events.size() <= refuse_after) return true;
    generation->close();
    return false;
  }
  void on_generation_started() override { ++started; }
  void prepare_again(const Route& route, std::function<void(std::optional<upstream::Prepared>)> then) override {
    ++prepared_again;
    then(route.upstream->provider->prepare({route.model, "[]", "", "req_1"}));
  }
  void on_generation_end(upstream::Outcome outcome) override {
    ends.push_back(std::move(outcome));
    if (destroy_on_end) generation.reset();
  }
  std::string text() const {
    std::string out;
    for (const auto& [kind, payload] : events) out += kind == EventKind::text ? payload : "";
    return out;
  }
};

}  // namespace

TEST_CASE("deltas become events as they come, the end comes once", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  CHECK(owner.started == 1);
  auto& call = f.model->last();
  call.text("Hel");
  call.handler->on_reasoning("hm");
  call.text("lo");
  CHECK(owner.events == std::vector<std::pair<EventKind, std::string>>{
                            {EventKind::text, "Hel"}, {EventKind::reasoning, "hm"}, {EventKind::text, "lo"}});
  call.complete();
  REQUIRE(owner.ends.size() == 1);
  CHECK_FALSE(owner.ends[0].failure);
  owner.generation->close();
  CHECK(call.closed());
  CHECK(owner.ends.size() == 1);
}

TEST_CASE("tokens, times and ends are counted for the model and its upstream", "[generation]") {
  RelayFixture f;
  f.metrics.set_known_models({"m"});
  const auto counted = [&f](const std::string& series) {
    const std::string text = f.metrics.exposition();
    const size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  };
  {
    Owning owner(f);
    owner.begin();
    f.model->last().text("Hel");
    f.model->last().text("lo");
    UsageTotal total;
    upstream::Usage said = {10, 5};
    said.cached_tokens = 4;
    said.reasoning_tokens = 3;
    owner.generation->add_usage(total, said);
    f.model->last().complete();
    owner.generation->close();
    Owning cancelled(f);
    cancelled.begin();
    cancelled.generation->close();
  }
  const std::string of = R"(model="m",upstream="up"})";
  CHECK(counted("tokenrelay_tokens_total{kind=\"input\"," + of) == 10);
  CHECK(counted("tokenrelay_tokens_total{kind=\"output\"," + of) == 5);
  CHECK(counted("tokenrelay_tokens_total{kind=\"cached\"," + of) == 4);
  CHECK(counted("tokenrelay_tokens_total{kind=\"reasoning\"," + of) == 3);
  CHECK(counted("tokenrelay_first_token_seconds_count{" + of) == 1);
  CHECK(counted("tokenrelay_inter_delta_seconds_count{" + of) == 1);
  CHECK(counted(R"(tokenrelay_generations_ended_total{model="m",outcome="ok",upstream="up"})") == 1);
  CHECK(counted(R"(tokenrelay_generations_ended_total{model="m",outcome="cancelled",upstream="up"})") == 1);
}

TEST_CASE("a long delta is split at code points into events of bounded size", "[generation]") {
  RelayFixture f;
  const size_t event_bytes = GENERATE(5, 64, 16 << 10);
  f.options.event_bytes = event_bytes;
  Owning owner(f);
  owner.begin();
  std::string whole;
  while (whole.size() < 3 * event_bytes + 11) whole += "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  f.model->last().text(whole);
  CHECK(owner.text() == whole);
  for (const auto& [kind, payload] : owner.events) {
    CHECK(payload.size() <= event_bytes);
    CHECK(json::valid_utf8(payload));
  }
}

TEST_CASE("the request is let go once the upstream has accepted it, and prepared again for a retry after that",
          "[generation]") {
  RelayFixture f;
  Owning owner(f);
  const upstream::PreparedPtr request = support::scripted({"m", "[]", "", "req_1"});
  owner.generation->begin(request);
  CHECK(request.use_count() == 2);
  f.model->last().fail(ErrorCode::upstream_overloaded, true);  // before its head: the same bytes are sent again
  f.time.advance(f.options.retry_backoff_ms * 2);
  REQUIRE(f.model->calls.size() == 2);
  CHECK(owner.prepared_again == 0);
  f.model->last().handler->on_first_byte();
  CHECK(request.use_count() == 1);
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  f.time.advance(f.options.upstream_retry_ms * 6 / 10);
  REQUIRE(f.model->calls.size() == 3);
  CHECK(owner.prepared_again == 1);
  CHECK(f.model->last().request.messages == "[]");
}

TEST_CASE("a stream that ends inside a delta gets nothing more of it", "[generation]") {
  RelayFixture f;
  f.options.event_bytes = 4;
  Owning owner(f);
  owner.refuse_after = 2;
  owner.begin();
  SECTION("text") {
    f.model->last().text(std::string(100, 'x'));
  }
  SECTION("arguments") {
    f.model->last().handler->on_tool_call(0, "i", "n", std::string(100, 'x'));
  }
  CHECK(owner.events.size() == 3);
  CHECK(f.model->open() == 0);
}

TEST_CASE("every piece of a tool call carries its id and name, its index counts on", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  auto& handler = *f.model->last().handler;
  handler.on_tool_call(0, "call_a", "get", "");
  handler.on_tool_call(1, "call_b", "put", "{");
  handler.on_tool_call(0, "", "", "{}");
  REQUIRE(owner.events.size() == 3);
  const auto piece = [&](size_t i) { return *decode_tool_call(owner.events[i].second); };
  CHECK(piece(0).index == 7);
  CHECK(piece(0).arguments.empty());
  CHECK(piece(1).index == 8);
  CHECK(piece(1).name == "put");
  CHECK(piece(2).index == 7);
  CHECK(piece(2).id == "call_a");
  CHECK(piece(2).name == "get");
  CHECK(piece(2).arguments == "{}");
  CHECK(owner.generation->tool_calls() == 2);
}

TEST_CASE("a call without an id gets one, and what belongs to a call keeps belonging to it", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  auto& handler = *f.model->last().handler;
  handler.on_tool_call(0, "", "get", "{}");
  handler.on_tool_call(1, "", "get", "{}");
  handler.on_opaque(R"({"provider":"p","type":"t","data":"d","index":1})");
  REQUIRE(owner.events.size() == 3);
  const auto first = *decode_tool_call(owner.events[0].second), second = *decode_tool_call(owner.events[1].second);
  CHECK(first.id.size() == 21);
  CHECK(first.id.starts_with("call_"));
  CHECK(first.id != second.id);
  CHECK(owner.events[2].second == R"({"provider":"p","type":"t","data":"d","index":8})");
}

TEST_CASE("two calls with one id get two, of which the first is the upstream's", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  auto& handler = *f.model->last().handler;
  handler.on_tool_call(0, "call", "f", "{");
  handler.on_tool_call(1, "call", "g", "{}");
  handler.on_tool_call(0, "", "", "}");
  REQUIRE(owner.events.size() == 3);
  CHECK(decode_tool_call(owner.events[0].second)->id == "call");
  CHECK(decode_tool_call(owner.events[1].second)->id.starts_with("call_"));
  CHECK(decode_tool_call(owner.events[2].second)->id == "call");
}

TEST_CASE("a tool call's arguments are split, its id and name never: they would be another's", "[generation]") {
  RelayFixture f;
  f.options.event_bytes = 64;
  Owning owner(f);
  owner.begin();
  const std::string id = "call_1__thought__" + std::string(3'000, 'i'), name(200, 'n');
  std::string arguments;
  while (arguments.size() < 1'000) arguments += "\xe2\x82\xac";
  f.model->last().handler->on_tool_call(0, id, name, arguments);
  std::string joined;
  for (const auto& [kind, payload] : owner.events) {
    const auto piece = decode_tool_call(payload);
    REQUIRE(piece);
    CHECK(json::valid_utf8(piece->arguments));
    CHECK(piece->arguments.size() <= 32);
    CHECK(piece->id == id);
    CHECK(piece->name == name);
    joined += piece->arguments;
  }
  CHECK(joined == arguments);
  CHECK(owner.events.size() > 10);
}

TEST_CASE("a tool call whose id or name is absurdly long fails, and is not cut", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  const bool long_id = GENERATE(true, false);
  const std::string longest(16 << 10, 'x');
  f.model->last().handler->on_tool_call(0, longest, longest, "{}");
  REQUIRE(owner.ends.empty());
  f.model->last().handler->on_tool_call(1, longest + (long_id ? "x" : ""), longest + (long_id ? "" : "x"), "{}");
  REQUIRE(owner.ends.size() == 1);
  REQUIRE(owner.ends[0].failure);
  CHECK(owner.ends[0].failure->code == ErrorCode::upstream_protocol);
  CHECK(owner.events.size() == 1);
}

TEST_CASE("a try that failed before the first delta is repeated, visibly", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  CHECK(owner.ends.empty());
  CHECK(f.model->calls[0]->closed());
  REQUIRE(owner.events.size() == 1);
  CHECK(owner.events[0].first == EventKind::upstream);
  CHECK(owner.events[0].second == R"({"attempt":2,"reason":"upstream_overloaded"})");
  f.time.advance(490);
  CHECK(f.model->calls.size() == 1);
  f.time.advance(20);
  REQUIRE(f.model->calls.size() == 2);
  CHECK(f.model->last().request.messages == "[]");  // the same request
  f.model->last().fail(ErrorCode::upstream_unreachable, true);
  CHECK(owner.events[1].second == R"({"attempt":3,"reason":"upstream_unreachable"})");
  f.time.advance(17'480);
  CHECK(f.model->calls.size() == 2);  // a server that starts again has 18 of the 30 seconds
  f.time.advance(20);
  REQUIRE(f.model->calls.size() == 3);
  f.model->last().fail(ErrorCode::upstream_unreachable, true);
  CHECK(owner.ends.size() == 1);  // two retries, no more
  CHECK(owner.started == 1);
}

TEST_CASE("the wait before a retry is spread by half of it", "[generation]") {
  RelayFixture f;
  f.spread = 250;  // of 0..250
  Owning owner(f);
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  f.time.advance(740);
  CHECK(f.model->calls.size() == 1);
  f.time.advance(20);
  CHECK(f.model->calls.size() == 2);
}

TEST_CASE("retries are spread over their time, however many and however long the tries take", "[generation]") {
  Options options;
  options.upstream_retries = 4;
  options.upstream_retry_ms = 10'000;
  RelayFixture f(options);
  f.spread = 1u << 20;
  Owning owner(f);
  owner.begin();
  std::vector<int64_t> at;
  int64_t now = 0;
  while (owner.ends.empty() && now < 20'000) {
    f.time.advance(300);  // a try takes so long
    now += 300;
    const size_t calls = f.model->calls.size();
    f.model->last().fail(ErrorCode::upstream_unreachable, true);
    for (; owner.ends.empty() && f.model->calls.size() == calls; now += 10) f.time.advance(10);
    if (owner.ends.empty()) at.push_back(now);
  }
  REQUIRE(at.size() == 4);
  CHECK(at[0] < 1'200);
  for (size_t i = 1; i < at.size(); ++i) {
    CHECK(at[i] >= static_cast<int64_t>(i) * 2'000);
    CHECK(at[i] > at[i - 1]);
  }
  CHECK(at[3] <= 10'000);
}

TEST_CASE("what the provider asks to wait is waited, if it is within the window", "[generation]") {
  RelayFixture f;
  Owning patient(f);
  patient.begin();
  f.model->last().fail(ErrorCode::upstream_rate_limited, true, 5'000);
  f.time.advance(4'980);
  CHECK(f.model->calls.size() == 1);
  f.time.advance(30);
  CHECK(f.model->calls.size() == 2);
  f.model->last().fail(ErrorCode::upstream_rate_limited, true, 25'500);  // 5 s have passed: over 30 s in all
  CHECK(patient.ends.size() == 1);
  Owning other(f);
  other.begin();
  f.model->last().fail(ErrorCode::upstream_rate_limited, true, 30'001);
  CHECK(other.ends.size() == 1);
}

TEST_CASE("what is not worth a retry is not repeated", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  SECTION("not retryable") {
    f.model->last().fail(ErrorCode::upstream_auth, false);
  }
  SECTION("after the first delta") {
    f.model->last().text("x");
    f.model->last().fail(ErrorCode::upstream_truncated, true);
  }
  SECTION("after the first piece of a tool call") {
    f.model->last().handler->on_tool_call(0, "i", "n", "");
    f.model->last().fail(ErrorCode::upstream_truncated, true);
  }
  CHECK(owner.ends.size() == 1);
  f.time.advance(60'000);
  CHECK(f.model->calls.size() == 1);
}

TEST_CASE("who finds no place waits in line", "[generation]") {
  RelayFixture f({}, 1);
  Owning first(f), second(f);
  first.begin();
  second.begin();
  CHECK(second.started == 0);
  CHECK(f.model->calls.size() == 1);
  first.generation->close();
  CHECK(second.started == 1);
  CHECK(f.model->calls.size() == 2);
}

TEST_CASE("a wait in line ends after its time", "[generation]") {
  RelayFixture f({}, 1);
  Owning first(f), second(f), third(f);
  second.destroy_on_end = true;
  first.begin();
  second.begin();
  f.time.advance(59'900);
  CHECK(second.ends.empty());
  third.begin();
  f.time.advance(120);
  REQUIRE(second.ends.size() == 1);
  CHECK(second.ends[0].failure->code == ErrorCode::upstream_overloaded);
  CHECK(second.ends[0].failure->retryable);
  first.generation->close();
  CHECK(third.started == 1);  // the one that gave up is not in the way
}

TEST_CASE("close is silent and gives the place back, in every state", "[generation]") {
  RelayFixture f({}, 1);
  Owning owner(f);
  SECTION("idle") {}
  SECTION("calling") {
    owner.begin();
  }
  SECTION("backing off") {
    owner.begin();
    f.model->last().fail(ErrorCode::upstream_overloaded, true);
  }
  SECTION("ended") {
    owner.begin();
    f.model->last().complete();
  }
  SECTION("queued") {
    Owning first(f);
    first.begin();
    owner.begin();
    owner.generation->close();
    CHECK(f.upstream->slots->waiting() == 0);
  }
  const auto ends = owner.ends.size();
  owner.generation->close();
  owner.generation->close();
  CHECK(f.model->open() == 0);
  CHECK_FALSE(f.upstream->slots->full());
  f.time.advance(100'000);
  CHECK(owner.ends.size() == ends);
  CHECK(f.model->open() == 0);
}

TEST_CASE("the owner may destroy it inside its end", "[generation]") {
  RelayFixture f({}, 1);
  Owning owner(f);
  owner.destroy_on_end = true;
  owner.begin();
  SECTION("completed") {
    f.model->last().complete();
  }
  SECTION("failed") {
    f.model->last().fail(ErrorCode::upstream_auth, false);
  }
  CHECK(owner.ends.size() == 1);
  CHECK_FALSE(f.upstream->slots->full());
}

TEST_CASE("a pause holds for the call that comes after it", "[generation]") {
  RelayFixture f;
  Owning owner(f);
  owner.begin();
  owner.generation->pause();
  owner.generation->pause();
  CHECK(f.model->last().paused);
  CHECK(f.model->last().pauses == 1);
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  f.time.advance(1'000);
  REQUIRE(f.model->calls.size() == 2);
  CHECK(f.model->last().paused);
  owner.generation->resume();
  CHECK_FALSE(f.model->last().paused);
}

TEST_CASE("what a generation cost, as far as known", "[generation]") {
  RelayFixture f({}, 1);
  Owning owner(f);
  UsageTotal total;
  SECTION("refused before a byte: unknown") {
    owner.begin();
    owner.generation->add_usage(total, {});
    CHECK(total.json() == R"({"source":"unknown"})");
  }
  SECTION("answered, closed in the middle: estimated") {
    owner.begin();
    f.model->last().handler->on_first_byte();
    f.model->last().text("12345");
    owner.generation->add_usage(total, {});
    CHECK(total.json() == R"({"input_tokens":10,"output_tokens":2,"source":"estimated"})");
  }
  SECTION("the provider's own counts") {
    owner.begin();
    owner.generation->add_usage(total, {1, 2});
    CHECK(total.json() == R"({"input_tokens":1,"output_tokens":2,"source":"provider"})");
  }
  SECTION("never sent: nothing, and what another generation cost stays known") {
    Owning first(f);
    first.begin();
    owner.begin();
    owner.generation->add_usage(total, {});
    total.add({1, 2}, 0, 0);
    CHECK(total.json() == R"({"input_tokens":1,"output_tokens":2,"source":"provider"})");
  }
}
