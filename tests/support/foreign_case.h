// ForeignCase: what one foreign model server was seen to send, as a script, and what the relay is to make of it. The
// scripts lie in tests/fixtures/foreign/ (INDEX.md there has their format).
#pragma once

#include <string>
#include <vector>

#include "tests/support/model_script.h"

namespace tokenrelay::support {

struct ForeignCase {
  std::string name, kind;
  std::vector<Script> attempts;  // the n-th call plays the n-th, the last one stays
  Json want;                     // null: nobody has said it yet
  double seconds = 0;            // the answer is over within so many
};

// The cases of one upstream KIND whose names begin with `prefix`, by name. Throws where a script cannot be read.
std::vector<ForeignCase> foreign_cases(const std::string& kind, const std::string& prefix);

// What of the case's `want` does not hold for a stream's state that has ended, and what holds for no answer whatever
// was sent; one line each, "" if all is well.
std::string wrong_with(const ForeignCase& script, const Json& state);

}  // namespace tokenrelay::support
