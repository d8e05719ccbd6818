#include "storage/key_table.h"

#include <map>
#include <memory>
#include <random>
#include <string>

#include "tests/support/catch.h"

using namespace tokenrelay::storage;

TEST_CASE("an empty table finds nothing, wherever one looks") {
  KeyTable<int> table;
  CHECK(table.empty());
  for (const StreamKey key : {StreamKey{0}, StreamKey{1}, StreamKey{1} << 40, ~StreamKey{0}}) {
    CHECK(table.find(key) == nullptr);
    table.erase(key);
  }
  CHECK(table.size() == 0);
}

TEST_CASE("a value that is erased is gone, and a new one under its key begins anew") {
  KeyTable<std::shared_ptr<int>> table;
  const auto value = std::make_shared<int>(7);
  table[1000] = value;
  CHECK(value.use_count() == 2);
  table.erase(1000);
  CHECK(value.use_count() == 1);
  CHECK(table.find(1000) == nullptr);
  CHECK(table[1000] == nullptr);
}

TEST_CASE("a value may look at its table while it goes") {
  struct Curious {
    KeyTable<std::unique_ptr<Curious>>* table = nullptr;
    bool* was_there = nullptr;
    ~Curious() { *was_there = table->find(5) != nullptr; }
  };
  KeyTable<std::unique_ptr<Curious>> table;
  bool was_there = true;
  table[5] = std::make_unique<Curious>();
  table[5]->table = &table;
  table[5]->was_there = &was_there;
  table.erase(5);
  CHECK_FALSE(was_there);
}

TEST_CASE("whatever is put in and taken out, the table holds what a map would hold, in its order") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  KeyTable<std::string> table;
  std::map<StreamKey, std::string> map;
  for (int turn = 0; turn < 20'000; ++turn) {
    const StreamKey key = 1 + random() % (turn % 2000 < 1000 ? 300 : 30'000);
    if (random() % 2 == 0) {
      table[key] = map[key] = std::to_string(turn);
    } else {
      table.erase(key);
      map.erase(key);
    }
    REQUIRE(table.size() == map.size());
    const std::string* found = table.find(key);
    REQUIRE((found != nullptr) == map.contains(key));
  }
  std::vector<std::pair<StreamKey, std::string>> seen;
  table.each([&](StreamKey key, const std::string& value) { seen.emplace_back(key, value); });
  CHECK(seen == std::vector<std::pair<StreamKey, std::string>>(map.begin(), map.end()));
  for (const auto& [key, value] : map) CHECK(*table.find(key) == value);
}
