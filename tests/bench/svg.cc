#include "tests/bench/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tokenrelay::bench {
namespace {

constexpr double width = 760, left = 230, right = 90, top = 64, bar_height = 22, bar_gap = 10;
constexpr double plot_left = 64, plot_width = 470, plot_height = 280;
const char ink[] = "#1f2937", faint[] = "#d1d5db", soft[] = "#6b7280";
const char relay_colour[] = "#2563eb", peer_colour[] = "#9ca3af";
const char* const line_colours[] = {"#2563eb", "#d97706", "#059669", "#db2777",
                                    "#7c3aed", "#0891b2", "#65a30d", "#4b5563"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// 97000 as 97,000; 0.123 as 0.12.
std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
  std::string out = text;
  if (value < 100 && out.find('.') != out.npos) {
    while (out.back() == '0') out.pop_back();
    if (out.back() == '.') out.pop_back();
  }
  for (size_t at = out.size(); value >= 1000 && at > 3;) out.insert(at -= 3, ",");
  return out;
}

std::string text_at(double x, double y, const std::string& text, const std::string& more = "") {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + more + ">" + escaped(text) + "</text>\n";
}

std::string begin(double height, const std::string& title, const std::string& subtitle) {
  const std::string size = number(width) + " " + number(height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size + "\" width=\"" + number(width) +
         "\" height=\"" + number(height) + "\" font-family=\"sans-serif\" font-size=\"13\" fill=\"" + ink +
         "\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" +
         text_at(16, 26, title, "font-size=\"16\" font-weight=\"bold\"") +
         text_at(16, 45, subtitle, "font-size=\"12\" fill=\"" + std::string(soft) + "\"");
}

std::string stroke(double x1, double y1, double x2, double y2, const char* colour) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
         "\" stroke=\"" + colour + "\"/>\n";
}

// Where values lie along an axis, 0 to 1, and which of them are named.
class Scale {
 public:
  Scale(const Axis& axis, double least, double most) : logarithmic_(axis.logarithmic) {
    if (logarithmic_) {
      from_ = std::floor(std::log10(std::max(least, 1e-3)));
      to_ = std::max(from_ + 1, std::ceil(std::log10(std::max(most, 1e-3))));
      for (double power = from_; power <= to_; ++power) ticks_.push_back(std::pow(10, power));
      return;
    }
    from_ = axis.from_zero ? 0 : least;
    const double raw = std::max(most - from_, 1e-9) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    const double step = power * (raw / power <= 1 ? 1 : raw / power <= 2 ? 2 : raw / power <= 5 ? 5 : 10);
    from_ = std::floor(from_ / step) * step;
    to_ = std::max(from_ + step, std::ceil(most / step - 1e-9) * step);
    for (double tick = from_; tick <= to_ + step / 2; tick += step) ticks_.push_back(tick);
  }
  double at(double value) const {
    const double placed = logarithmic_ ? std::log10(std::max(value, 1e-3)) : value;
    return std::clamp((placed - from_) / (to_ - from_), 0.0, 1.0);
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  bool logarithmic_;
  double from_ = 0, to_ = 1;
  std::vector<double> ticks_;
};

double x_of(double part) {
  return plot_left + part * plot_width;
}
double y_of(double part) {
  return top + (1 - part) * plot_height;
}

std::string frame(const Scale& x, const Scale& y, const Axis& x_axis) {
  std::string out;
  for (const double tick : x.ticks()) {
    out += stroke(x_of(x.at(tick)), top, x_of(x.at(tick)), top + plot_height, faint);
    out += text_at(x_of(x.at(tick)), top + plot_height + 18, shown(tick), "text-anchor=\"middle\" font-size=\"11\"");
  }
  for (const double tick : y.ticks()) {
    out += stroke(plot_left, y_of(y.at(tick)), plot_left + plot_width, y_of(y.at(tick)), faint);
    out += text_at(plot_left - 6, y_of(y.at(tick)) + 4, shown(tick), "text-anchor=\"end\" font-size=\"11\"");
  }
  return out + text_at(plot_left + plot_width / 2, top + plot_height + 38, x_axis.name,
                       "text-anchor=\"middle\" font-size=\"12\"");
}

std::string drawn(const Line& line, size_t index, const Scale& x, const Scale& y) {
  const std::string colour = line_colours[index % std::size(line_colours)];
  std::string out = "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + colour + "\" points=\"";
  for (const auto& [px, py] : line.second) out += number(x_of(x.at(px))) + "," + number(y_of(y.at(py))) + " ";
  const double legend_y = top + 10 + 20 * static_cast<double>(index), legend_x = plot_left + plot_width + 14;
  return out + "\"/>\n<rect x=\"" + number(legend_x) + "\" y=\"" + number(legend_y - 9) +
         "\" width=\"10\" height=\"10\" fill=\"" + colour + "\"/>\n" +
         text_at(legend_x + 16, legend_y, line.first, "font-size=\"12\"");
}

}  // namespace

std::string bar_chart(const std::string& title, const std::string& subtitle, const std::vector<Bar>& bars) {
  double most = 1e-9;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  std::string out = begin(top + static_cast<double>(bars.size()) * (bar_height + bar_gap) + 8, title, subtitle);
  double y = top;
  for (const Bar& bar : bars) {
    const double length = std::max(0.0, bar.value) / most * (width - left - right);
    const char* const colour = bar.label.starts_with("relay") ? relay_colour : peer_colour;
    out += text_at(left - 10, y + bar_height - 6, bar.label, "text-anchor=\"end\"");
    out += "<rect x=\"" + number(left) + "\" y=\"" + number(y) + "\" width=\"" + number(std::max(1.0, length)) +
           "\" height=\"" + number(bar_height) + "\" rx=\"2\" fill=\"" + colour + "\"/>\n";
    out += text_at(left + length + 8, y + bar_height - 6, shown(bar.value));
    y += bar_height + bar_gap;
  }
  return out + "</svg>\n";
}

std::string line_chart(const std::string& title, const Axis& x_axis, const Axis& y_axis,
                       const std::vector<Line>& lines) {
  std::vector<double> xs, ys;
  for (const auto& [name, points] : lines) {
    for (const auto& [px, py] : points) {
      if (!x_axis.logarithmic || px > 0) xs.push_back(px);
      if (!y_axis.logarithmic || py > 0) ys.push_back(py);
    }
  }
  if (xs.empty() || ys.empty()) return "";
  const auto [x_least, x_most] = std::minmax_element(xs.begin(), xs.end());
  const auto [y_least, y_most] = std::minmax_element(ys.begin(), ys.end());
  const Scale x(x_axis, *x_least, *x_most), y(y_axis, *y_least, *y_most);
  std::string out = begin(top + plot_height + 52, title, y_axis.name) + frame(x, y, x_axis);
  for (size_t i = 0; i < lines.size(); ++i) out += drawn(lines[i], i, x, y);
  return out + "</svg>\n";
}

}  // namespace tokenrelay::bench
