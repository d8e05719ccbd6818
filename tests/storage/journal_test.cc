#include "storage/journal.h"

#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

std::string sample_row(uint64_t id) {
  std::string row(journal_head, '\0');
  EventView two[] = {{EventKind::text, "Hel"}, {EventKind::reasoning, ""}};
  EventView one{EventKind::done, "{}"};
  append_record(row, 7, 2, two);
  append_record(row, 9, 5, {&one, 1});
  seal_row(row, id);
  return row;
}

}  // namespace

TEST_CASE("a journal row gives back its records and entries") {
  const std::string row = sample_row(3);
  auto records = open_row(row, 3);
  REQUIRE(records);
  RecordReader walk(*records);
  Record r;
  REQUIRE(walk.next(r));
  CHECK(r.key == 7);
  CHECK(r.first == 2);
  CHECK(r.last() == 3);
  EntryReader entries(r.entries);
  EventView e;
  REQUIRE(entries.next(e));
  CHECK(e.kind == EventKind::text);
  CHECK(e.payload == "Hel");
  REQUIRE(entries.next(e));
  CHECK(e.kind == EventKind::reasoning);
  CHECK(e.payload.empty());
  CHECK_FALSE(entries.next(e));
  CHECK_FALSE(entries.malformed());
  REQUIRE(walk.next(r));
  CHECK(r.key == 9);
  CHECK_FALSE(walk.next(r));
  CHECK_FALSE(walk.malformed());
}

TEST_CASE("any changed byte, any cut and another id are found out") {
  const std::string row = sample_row(3);
  CHECK_FALSE(open_row(row, 4));
  for (size_t i = 0; i < row.size(); ++i) {
    std::string changed = row;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK_FALSE(open_row(changed, 3));
    CHECK_FALSE(open_row(row.substr(0, i), 3));
  }
}

TEST_CASE("a row whose lengths lie is refused though its checksum is right") {
  for (size_t at : {size_t{20}, size_t{16}, size_t{25}}) {  // the record's bytes, its count, the entry's size
    std::string row = sample_row(3);
    row[journal_head + at] = static_cast<char>(row[journal_head + at] + 1);
    seal_row(row, 3);
    CHECK_FALSE(open_row(row, 3));
  }
}

TEST_CASE("the part of a record after a seq") {
  std::string bytes;
  EventView three[] = {{EventKind::text, "a"}, {EventKind::text, "bb"}, {EventKind::text, "ccc"}};
  for (const auto& e : three) append_entry(bytes, e);
  const Record whole{1, 10, 3, bytes};
  CHECK(after(whole, 9).entries == bytes);
  const Record rest = after(whole, 11);
  CHECK(rest.first == 12);
  CHECK(rest.count == 1);
  EntryReader walk(rest.entries);
  EventView e;
  REQUIRE(walk.next(e));
  CHECK(e.payload == "ccc");
  CHECK(after(whole, 12).count == 0);
}
