#include "service/transport/lifeline.h"

#include <memory>
#include <optional>

#include "tests/support/catch.h"

using tokenrelay::transport::Alive;
using tokenrelay::transport::Lifeline;

TEST_CASE("a watch sees that its object has gone, and so does every one around it", "[lifeline]") {
  auto line = std::make_unique<Lifeline>();
  Lifeline::Watch outer(*line);
  {
    Lifeline::Watch inner(*line);
    CHECK_FALSE(inner.gone());
  }
  CHECK_FALSE(outer.gone());
  Lifeline::Watch second(*line);
  line.reset();
  CHECK(outer.gone());
  CHECK(second.gone());
}

TEST_CASE("a mark outlives its object and says so", "[lifeline]") {
  auto alive = std::make_unique<Alive>();
  const auto first = alive->mark(), second = alive->mark();
  CHECK(static_cast<bool>(first));
  alive.reset();
  CHECK_FALSE(static_cast<bool>(first));
  CHECK_FALSE(static_cast<bool>(second));
}

TEST_CASE("marks are false once the end was said, whenever they were made", "[lifeline]") {
  Alive alive;
  const auto before = alive.mark();
  alive.end();
  CHECK_FALSE(static_cast<bool>(before));
  CHECK_FALSE(static_cast<bool>(alive.mark()));
  Alive unmarked;
  unmarked.end();
  CHECK_FALSE(static_cast<bool>(unmarked.mark()));
}
