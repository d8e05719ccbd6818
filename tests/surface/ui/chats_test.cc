// Which streams run for which chat.
#include "service/surface/ui/chats.h"

#include "tests/relay/relay_fixture.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

struct ChatsFixture : relay::RelayFixture {
  std::shared_ptr<Chats> chats = std::make_shared<Chats>();

  std::shared_ptr<relay::Stream> made(const std::string& owner = "", const std::string& marks = "") {
    auto asked = what();
    asked.owner = owner;
    asked.marks = marks;
    return create(std::move(asked)).value().stream;
  }
  void end(relay::Stream& stream) {
    stream.cancel();
    time.settle();
    commit();
    REQUIRE(stream.ended());
  }
};

using Streams = std::vector<Chats::StreamPtr>;

}  // namespace

TEST_CASE("what runs for a chat, newest first, until it ends", "[chats]") {
  ChatsFixture f;
  const auto first = f.made(), second = f.made();
  f.chats->add("c", second);
  f.chats->add("c", first);
  f.chats->add("c", first);
  CHECK(f.chats->running("", "c") == Streams{second, first});
  CHECK(f.chats->running("", "d").empty());
  f.end(*second);
  CHECK(f.chats->running("", "c") == Streams{first});
  f.end(*first);
  CHECK(f.chats->running("", "c").empty());
  CHECK(f.chats->size() == 0);  // nothing of it is kept
}

TEST_CASE("a chat's name holds within its owner", "[chats]") {
  ChatsFixture f;
  const auto stream = f.made("alice");
  f.chats->add("c", stream);
  CHECK(f.chats->running("alice", "c") == Streams{stream});
  CHECK(f.chats->running("", "c").empty());
  CHECK(f.chats->running("alicec", "").empty());
}

TEST_CASE("what has ended, has no name, or one too long is not kept", "[chats]") {
  ChatsFixture f;
  const auto ended = f.made(), running = f.made();
  f.end(*ended);
  f.chats->add("c", ended);
  f.chats->add("", running);
  f.chats->add(std::string(max_chat_bytes + 1, 'c'), running);
  CHECK(f.chats->size() == 0);
  f.chats->add(std::string(max_chat_bytes, 'c'), running);
  CHECK(f.chats->size() == 1);
}

TEST_CASE("a stream taken up again is found by the chat in its start event", "[chats]") {
  ChatsFixture f;
  const auto ours = f.made("", marks_of({"c\n\"é", "m"})), other = f.made("", R"(,"surface":"chat","chat":"x")");
  f.chats->adopt(ours);
  f.chats->adopt(other);
  f.time.settle();
  CHECK(f.chats->running("", "c\n\"é") == Streams{ours});
  CHECK(f.chats->size() == 1);
}

TEST_CASE("an index that is gone before its streams is not asked", "[chats]") {
  ChatsFixture f;
  const auto stream = f.made("", marks_of({"c", ""}));
  f.chats->add("c", stream);
  f.chats->adopt(stream);
  f.chats.reset();
  f.time.settle();
  f.end(*stream);
  CHECK(stream->status() == "cancelled");
}

TEST_CASE("marks are read as they were written, and only this surface's", "[chats]") {
  const ChatMarks marks{"a\"b\\\n\x01", "m"};
  const auto read = read_marks("{\"model\":\"m\"" + marks_of(marks) + "}");
  CHECK(read.chat == marks.chat);
  CHECK(read.message == "m");
  CHECK(marks_of({}) == R"(,"surface":"ui")");
  CHECK(read_marks(R"({"surface":"chat","chat":"c"})").chat.empty());
  CHECK(read_marks(R"({"surface":"ui","chat":7})").chat.empty());
  CHECK(read_marks("nonsense").chat.empty());
}

}  // namespace tokenrelay::surface
