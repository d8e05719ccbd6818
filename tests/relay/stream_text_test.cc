#include "service/relay/stream_text.h"

#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using storage::EventKind;

namespace {

std::shared_ptr<const StreamText> read(RelayFixture& f, const std::shared_ptr<Stream>& stream) {
  auto answer = std::make_shared<std::optional<std::shared_ptr<const StreamText>>>();
  read_stream_text(stream, {}, [answer](std::shared_ptr<const StreamText> whole) { *answer = std::move(whole); });
  f.time.settle();
  REQUIRE(answer->has_value());
  return **answer;
}

}  // namespace

TEST_CASE("a transcript joins text, reasoning and each call's arguments", "[transcript]") {
  StreamText t;
  t.add(1, EventKind::start, "{}");
  t.add(2, EventKind::text, "Hel");
  t.add(3, EventKind::reasoning, "hm");
  t.add(4, EventKind::tool_call, encode_tool_call({0, "a", "get", "{\"x\""}));
  t.add(5, EventKind::tool_call, encode_tool_call({1, "b", "put", "["}));
  t.add(6, EventKind::tool_call, encode_tool_call({0, "a", "get", ":1}"}));
  t.add(7, EventKind::tool_call, "\x80");  // corrupt: left out
  t.add(8, EventKind::steer, "{}");
  t.add(9, EventKind::text, "lo");
  t.add(10, EventKind::done, "{}");
  CHECK(t.text == "Hello");
  CHECK(t.reasoning == "hm");
  REQUIRE(t.tool_calls.size() == 2);
  CHECK(t.tool_calls[0].name == "get");
  CHECK(t.tool_calls[0].arguments == "{\"x\":1}");
  CHECK(t.tool_calls[1].arguments == "[");
}

TEST_CASE("a transcript holds what is durable, over many blocks, and nothing else", "[transcript]") {
  RelayFixture f;
  const auto stream = f.stream();
  std::string whole;
  for (int i = 0; i < 60; ++i) {
    whole += std::string(5'000, static_cast<char>('a' + i % 26));
    f.say_and_commit(whole.substr(whole.size() - 5'000));
  }
  f.say("not durable");
  const auto live = read(f, stream);
  REQUIRE(live);
  CHECK(live->text == whole);
  CHECK(live->last_seq == 61);
  f.log->commit_silently();
  CHECK(read(f, stream)->text == whole);  // the log has more, the stream does not know it yet
  f.log->report();
  CHECK(read(f, stream)->text == whole + "not durable");
}

TEST_CASE("a transcript of a stream that ends meanwhile goes to its end", "[transcript]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.say_and_commit("a");
  f.log->hold_reads = true;
  std::shared_ptr<const StreamText> whole;
  read_stream_text(stream, {}, [&](std::shared_ptr<const StreamText> t) { whole = std::move(t); });
  f.say("b");
  f.model->last().complete();
  f.commit();
  f.log->release_reads();
  f.time.settle();
  REQUIRE(whole);
  CHECK(whole->text == "ab");
  CHECK(whole->last_seq == stream->durable());
}

TEST_CASE("a log that cannot be read gives no transcript", "[transcript]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.log->fail_reads = true;
  CHECK_FALSE(read(f, stream));
}
