#include "json.h"

#include <cmath>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace bec {
namespace {

class Reader {
public:
    Reader(const char* begin, const char* end) : at_(begin), end_(end) {}

    Json document() {
        Json value = read(0);
        skip_space();
        if (at_ != end_) fail("text after the end");
        return value;
    }

private:
    const char* at_;
    const char* end_;

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error("bad JSON: " + reason); }

    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
    }

    char peek() {
        skip_space();
        if (at_ == end_) fail("unexpected end");
        return *at_;
    }

    void expect(char wanted) {
        if (peek() != wanted) fail(std::string("expected '") + wanted + "', found '" + *at_ + "'");
        ++at_;
    }

    bool take(char wanted) {
        if (peek() != wanted) return false;
        ++at_;
        return true;
    }

    bool take_word(const char* word) {
        const char* p = at_;
        for (; *word != '\0'; ++word, ++p)
            if (p == end_ || *p != *word) return false;
        at_ = p;
        return true;
    }

    Json read(int depth) {
        if (depth > 100) fail("nested too deeply");
        Json value;
        const char c = peek();
        if (c == '{') {
            value.kind = Json::Kind::object;
            ++at_;
            if (take('}')) return value;
            do {
                peek();
                std::string key = read_text();
                expect(':');
                value.object[std::move(key)] = read(depth + 1);
            } while (take(','));
            expect('}');
        } else if (c == '[') {
            value.kind = Json::Kind::list;
            ++at_;
            if (take(']')) return value;
            do value.list.push_back(read(depth + 1));
            while (take(','));
            expect(']');
        } else if (c == '"') {
            value.kind = Json::Kind::text;
            value.text = read_text();
        } else if (take_word("true")) {
            value.kind = Json::Kind::boolean;
            value.boolean = true;
        } else if (take_word("false")) {
            value.kind = Json::Kind::boolean;
        } else if (take_word("null")) {
        } else if (take_word("NaN") || take_word("Infinity") || take_word("-Infinity")) {  // Python's dialect
            value.kind = Json::Kind::number;
            value.number = std::nan("");
        } else {
            value.kind = Json::Kind::number;
            value.number = read_number();
        }
        return value;
    }

    double read_number() {
        std::string digits;
        while (at_ != end_ && (std::string("+-.eE").find(*at_) != std::string::npos || (*at_ >= '0' && *at_ <= '9')))
            digits += *at_++;
        std::istringstream words(digits);
        words.imbue(std::locale::classic());  // strtod wants a comma in a program that speaks German
        double value = 0.0;
        if (!(words >> value) || words.peek() != std::istringstream::traits_type::eof()) fail("expected a value");
        return value;
    }

    unsigned read_hex() {
        unsigned code = 0;
        for (int i = 0; i < 4; ++i) {
            if (at_ == end_) fail("unexpected end");
            const char c = *at_++;
            code *= 16;
            if (c >= '0' && c <= '9') code += static_cast<unsigned>(c - '0');
            else if (c >= 'a' && c <= 'f') code += static_cast<unsigned>(c - 'a' + 10);
            else if (c >= 'A' && c <= 'F') code += static_cast<unsigned>(c - 'A' + 10);
            else fail("bad escape");
        }
        return code;
    }

    static void append_utf8(std::string& text, unsigned code) {
        const auto put = [&text](unsigned byte) { text += static_cast<char>(byte); };
        if (code < 0x80) {
            put(code);
        } else if (code < 0x800) {
            put(0xC0 | (code >> 6));
            put(0x80 | (code & 63));
        } else if (code < 0x10000) {
            put(0xE0 | (code >> 12));
            put(0x80 | ((code >> 6) & 63));
            put(0x80 | (code & 63));
        } else {
            put(0xF0 | (code >> 18));
            put(0x80 | ((code >> 12) & 63));
            put(0x80 | ((code >> 6) & 63));
            put(0x80 | (code & 63));
        }
    }

    std::string read_text() {
        std::string text;
        if (at_ == end_ || *at_ != '"') fail("expected a string");
        ++at_;
        while (true) {
            if (at_ == end_) fail("string without end");
            const char c = *at_++;
            if (c == '"') return text;
            if (c != '\\') {
                text += c;
                continue;
            }
            if (at_ == end_) fail("string without end");
            const char escape = *at_++;
            switch (escape) {
                case 'n': text += '\n'; break;
                case 't': text += '\t'; break;
                case 'r': text += '\r'; break;
                case 'b': text += '\b'; break;
                case 'f': text += '\f'; break;
                case 'u': {
                    unsigned code = read_hex();
                    if (code >= 0xD800 && code < 0xDC00 && take_word("\\u"))
                        code = 0x10000 + ((code - 0xD800) << 10) + (read_hex() - 0xDC00);
                    append_utf8(text, code);
                    break;
                }
                default: text += escape;
            }
        }
    }
};

}  // namespace

const Json& Json::at(const std::string& key) const {
    const auto found = object.find(key);
    if (found == object.end()) throw std::runtime_error("entry \"" + key + "\" is missing");
    return found->second;
}

double Json::as_number() const {
    if (kind != Kind::number) throw std::runtime_error("a number was expected");
    return number;
}

long Json::as_integer() const {
    const double value = as_number();
    if (!(std::abs(value) < 1e15) || value != std::floor(value)) throw std::runtime_error("an integer was expected");
    return static_cast<long>(value);
}

const std::string& Json::as_text() const {
    if (kind != Kind::text) throw std::runtime_error("a string was expected");
    return text;
}

const std::vector<Json>& Json::as_list() const {
    if (kind != Kind::list) throw std::runtime_error("a list was expected");
    return list;
}

Json parse_json(const char* begin, const char* end) { return Reader(begin, end).document(); }

}  // namespace bec
