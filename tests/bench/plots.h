// Which charts a report makes.
#pragma once

#include <filesystem>

#include "tests/bench/report.h"

namespace tokenrelay::bench {

// One SVG file for each chart that has something to show, into `directory`; returns their names.
std::vector<std::string> write_plots(const Report& report, const std::filesystem::path& directory);

}  // namespace tokenrelay::bench
