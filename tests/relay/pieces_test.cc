// Answers whose long texts stay in the log: held in full and left out, they are the same bytes.
#include "service/relay/pieces.h"

#include "service/json/write.h"
#include "service/relay/stream_text.h"
#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using storage::EventKind;

namespace {

std::shared_ptr<const StreamText> read(RelayFixture& f, const std::shared_ptr<Stream>& stream, ReadBounds bounds) {
  std::shared_ptr<const StreamText> out;
  read_stream_text(stream, std::move(bounds),
                   [&out](std::shared_ptr<const StreamText> whole) { out = std::move(whole); });
  f.time.settle();
  return out;
}

std::string shown(const StreamText& text) {
  std::string out = "{\"text\":";
  json::append_string(out, text.text);
  out += ",\"reasoning\":";
  json::append_string(out, text.reasoning);
  for (const auto& call : text.tool_calls) {
    out += "," + call.name;
    json::append_string(out, call.arguments);
  }
  return out + "}";
}

struct Sent {
  std::string bytes;
  size_t most = 0;  // of one piece
  bool readable = true;
};

Sent send(RelayFixture& f, Pieces& pieces) {
  Sent sent;
  for (bool over = false; !over;) {
    bool answered = false;
    pieces.next([&](std::optional<std::string_view> piece) {
      answered = true;
      sent.readable = piece.has_value();
      over = !piece || piece->empty();
      if (!piece) return;
      sent.bytes += *piece;
      sent.most = std::max(sent.most, piece->size());
    });
    f.time.settle();
    REQUIRE(answered);
  }
  return sent;
}

}  // namespace

TEST_CASE("an answer with its long texts left in the log has the same bytes, in small pieces", "[pieces]") {
  RelayFixture f;
  const auto stream = f.stream();
  for (int i = 0; i < 120; ++i) {
    f.say_and_commit("text \"" + std::to_string(i) + "\" é\n" + std::string(3'000, 'x'));
    if (i % 3 == 0) f.model->last().handler->on_reasoning("thought \xE2\x80\xA8 " + std::string(1'000, 'y'));
    f.model->last().handler->on_tool_call(i % 2, "c" + std::to_string(i % 2), "f", std::string(1'000, '"'));
    f.commit();
  }
  const auto whole = read(f, stream, {});
  const auto excerpts = std::make_shared<Excerpts>(f.random(), 4'000);
  const auto left_out = read(f, stream, {excerpts, {}});
  REQUIRE(excerpts->any());
  CHECK(excerpts->held_bytes() < 8'000);
  CHECK(shown(*left_out).size() < 8'000);
  Pieces pieces(stream, shown(*left_out), excerpts);
  const Sent sent = send(f, pieces);
  CHECK(sent.readable);
  CHECK(sent.bytes == shown(*whole));
  CHECK(sent.most < 3 * Stream::block_bytes);  // escapes
}

TEST_CASE("short answers are held, and marks are not found in what others wrote", "[pieces]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.say_and_commit("short");
  const auto excerpts = std::make_shared<Excerpts>(f.random(), 4'000);
  CHECK(read(f, stream, {excerpts, {}})->text == "short");
  CHECK_FALSE(excerpts->any());
  std::string text(5'000, 'x');
  Excerpts some(f.random(), 100);
  Excerpts::Place place;
  std::string said;
  some.append(said, place, {0, 1, EventKind::text, 0}, text);
  REQUIRE(some.any());
  CHECK(said.size() == some.mark_bytes());
  CHECK(some.find("a" + said + "b", 0).at == 1);
  CHECK(some.find(said.substr(0, said.size() - 1), 0).excerpt == nullptr);
  CHECK(some.find(said.substr(0, said.size() - 1) + "9", 0).excerpt == nullptr);  // no such number
  const Excerpts others(f.random(), 100);
  CHECK(others.find(said, 0).excerpt == nullptr);
}

TEST_CASE("what may not be held ends the reading", "[pieces]") {
  RelayFixture f;
  const auto stream = f.stream();
  for (int i = 0; i < 50; ++i) {
    f.model->last().handler->on_tool_call(i, "c" + std::to_string(i), "f", std::string(900, 'a'));
    f.commit();
  }
  size_t most = 0;
  const auto excerpts = std::make_shared<Excerpts>(f.random(), 1'000);
  const auto fits = [&](size_t held) { return (most = held) < 10'000; };
  CHECK_FALSE(read(f, stream, {excerpts, fits}));
  CHECK(most < 11'000);
}

TEST_CASE("pieces of a log that cannot be read say so, and destroyed ones say nothing", "[pieces]") {
  RelayFixture f;
  const auto stream = f.stream();
  for (int i = 0; i < 40; ++i) f.say_and_commit(std::string(5'000, 'x'));
  const auto excerpts = std::make_shared<Excerpts>(f.random(), 4'000);
  const auto text = read(f, stream, {excerpts, {}});
  {
    CHECK(stream->subscribers() == 0);
    Pieces pieces(stream, shown(*text), excerpts);
    CHECK(stream->subscribers() == 1);  // a removal waits
    f.log->fail_reads = true;
    CHECK_FALSE(send(f, pieces).readable);
    f.log->fail_reads = false;
  }
  CHECK(stream->subscribers() == 0);
  f.log->hold_reads = true;
  bool answered = false;
  auto pieces = std::make_unique<Pieces>(stream, shown(*text), excerpts);
  pieces->next([&](std::optional<std::string_view>) { answered = true; });
  pieces.reset();
  f.log->release_reads();
  f.time.settle();
  CHECK_FALSE(answered);
}
