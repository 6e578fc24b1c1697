#include "fix_bec_options.h"

#include "elements.h"

#include <algorithm>
#include <cstdlib>

namespace bec_lammps {

namespace {

const char SYNTAX[] = "fix ID group bec MODEL TYPE1 TYPE2 ... [every N] [efield Ex Ey Ez] [sumrule yes|no] "
                      "[threads N] [level NAME] [charge Q] [tensors N] [groups ID1 ID2 ...]";
constexpr int FIRST_TYPE = 4;

bool is_keyword(const std::string &word)
{
  static const char *const keywords[] = {"every", "efield", "sumrule", "threads", "level", "charge",
                                          "tensors", "groups"};
  return std::find(std::begin(keywords), std::end(keywords), word) != std::end(keywords);
}

double parse_number(const char *text, int index, const std::string &what)
{
  char *end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value - value == 0.0))
    throw ArgumentError(index, what + " must be a number, not '" + text + "'");
  return value;
}

int parse_count(const char *text, int index, const std::string &what)
{
  char *end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || value < 1 || value > 1000000000)
    throw ArgumentError(index, what + " must be a positive integer, not '" + text + "'");
  return static_cast<int>(value);
}

// Elements of the atom types; returns the index of the first argument behind them.
int parse_types(FixBecOptions &options, int n_args, const char *const *args, int n_types)
{
  options.species_of_type.assign(1, -1);
  int index = FIRST_TYPE;
  for (; index < n_args && !is_keyword(args[index]); ++index) {
    const std::string symbol = args[index];
    int species = -1;
    if (symbol != "NULL") {
      const int number = atomic_number(symbol);
      if (number == 0)
        throw ArgumentError(index, "'" + symbol + "' is neither a chemical element, nor NULL, nor a keyword; " +
                                       "syntax: " + SYNTAX);
      const auto found = std::find(options.numbers.begin(), options.numbers.end(), number);
      species = static_cast<int>(found - options.numbers.begin());
      if (found == options.numbers.end()) options.numbers.push_back(number);
    }
    options.species_of_type.push_back(species);
  }
  const int given = index - FIRST_TYPE;
  if (given != n_types)
    throw ArgumentError(std::min(index, n_args - 1),
                        "there are " + std::to_string(n_types) + " atom types but " + std::to_string(given) +
                            " elements: name one element for each type, in the order of the types; NULL hides a "
                            "type (shells, Drude particles) from the model");
  if (options.numbers.empty())
    throw ArgumentError(FIRST_TYPE, "every atom type is NULL: name the element of a type that carries a charge tensor");
  return index;
}

void need(int n_values, int index, int n_args, const std::string &keyword)
{
  if (index + n_values >= n_args)
    throw ArgumentError(n_args - 1, "keyword " + keyword + " needs " + std::to_string(n_values) +
                                        (n_values == 1 ? " value" : " values") + "; syntax: " + SYNTAX);
}

void parse_field(FixBecOptions &options, const char *const *args, int index)
{
  options.has_field = true;
  for (int a = 0; a < 3; ++a) {
    FieldComponent &component = options.field[a];
    const std::string text = args[index + a];
    component.argument = index + a;
    component.variable = text.rfind("v_", 0) == 0 ? text.substr(2) : "";
    if (component.variable.empty())
      component.value = parse_number(args[index + a], index + a, "a component of efield (V/Angstrom, or v_NAME)");
  }
}

// Names up to the next keyword; returns how many.
int parse_groups(FixBecOptions &options, int n_args, const char *const *args, int index)
{
  options.groups_argument = index;
  for (int i = index; i < n_args && !is_keyword(args[i]); ++i) options.groups.emplace_back(args[i]);
  if (options.groups.empty()) throw ArgumentError(index, "keyword groups needs the name of a group at least");
  return static_cast<int>(options.groups.size());
}

}    // namespace

FixBecOptions FixBecOptions::parse(int n_args, const char *const *args, int n_types)
{
  if (n_args <= FIRST_TYPE)
    throw ArgumentError(n_args - 1, std::string("model and elements are missing; syntax: ") + SYNTAX);
  FixBecOptions options;
  options.model = args[FIRST_TYPE - 1];
  int index = parse_types(options, n_args, args, n_types);
  while (index < n_args) {
    const std::string keyword = args[index];
    const int value = index + 1;
    int n_values = keyword == "efield" ? 3 : 1;
    if (!is_keyword(keyword))
      throw ArgumentError(index, "unknown keyword '" + keyword + "'; syntax: " + SYNTAX);
    need(n_values, index, n_args, keyword);
    if (keyword == "every") {
      options.every = parse_count(args[value], value, "every");
    } else if (keyword == "efield") {
      parse_field(options, args, value);
    } else if (keyword == "sumrule") {
      const std::string answer = args[value];
      if (answer != "yes" && answer != "no")
        throw ArgumentError(value, "sumrule must be yes or no, not '" + answer + "'");
      options.sum_rule = answer == "yes";
    } else if (keyword == "threads") {
      options.threads = parse_count(args[value], value, "threads");
    } else if (keyword == "tensors") {
      options.tensors = parse_count(args[value], value, "tensors");
      options.tensors_argument = value;
    } else if (keyword == "groups") {
      n_values = parse_groups(options, n_args, args, value);
    } else if (keyword == "level") {
      options.level = args[value];
    } else {
      options.total_charge = parse_number(args[value], value, "charge (net charge of the cell, e)");
    }
    index = value + n_values;
  }
  if (!options.sum_rule && options.total_charge != 0.0)
    throw ArgumentError(n_args - 1, "charge is imposed by the sum rule and has no effect with sumrule no: leave one "
                                    "of the two out");
  return options;
}

}    // namespace bec_lammps
