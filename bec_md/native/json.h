// A small JSON reader for the headers of model files.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace bec {

struct Json {
    enum class Kind { null, boolean, number, text, list, object };
    Kind kind = Kind::null;
    bool boolean = false;
    double number = 0;
    std::string text;
    std::vector<Json> list;
    std::map<std::string, Json> object;

    // Throw std::runtime_error when the value is not of the kind asked for, or missing.
    const Json& at(const std::string& key) const;
    bool has(const std::string& key) const { return kind == Kind::object && object.count(key) > 0; }
    double as_number() const;
    long as_integer() const;
    const std::string& as_text() const;
    const std::vector<Json>& as_list() const;
};

Json parse_json(const char* begin, const char* end);

}  // namespace bec
