// Charts as SVG text: horizontal bars, and lines over two axes. No script, no style sheet, no font but the viewer's
// sans-serif; white ground, so that they read in a dark page too.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tokenrelay::bench {

struct Bar {
  std::string label;
  double value = 0;
};
// Longest at full width. Labels that begin with "relay" are in the relay's colour, the others in the peers' grey.
std::string bar_chart(const std::string& title, const std::string& subtitle, const std::vector<Bar>& bars);

struct Axis {
  std::string name;
  bool logarithmic = false;  // then values are positive
  bool from_zero = true;     // a linear one
};
using Line = std::pair<std::string, std::vector<std::pair<double, double>>>;
std::string line_chart(const std::string& title, const Axis& x, const Axis& y, const std::vector<Line>& lines);

}  // namespace tokenrelay::bench
