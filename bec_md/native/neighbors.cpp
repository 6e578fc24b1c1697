#include "neighbors.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace bec {
namespace {

struct Vector {
    double x, y, z;
};

Vector cross(Vector a, Vector b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
double dot(Vector a, Vector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
double norm(Vector a) { return std::sqrt(dot(a, a)); }
Vector scaled(Vector a, double s) { return {a.x * s, a.y * s, a.z * s}; }

constexpr double longest_cell = 1e6;  // Å

// Lattice vectors with directions that are not periodic replaced by unit vectors perpendicular to the others.
void complete_cell(const double* cell, const std::uint8_t* periodic, Vector (&a)[3]) {
    int count = 0;
    for (int k = 0; k < 3; ++k) {
        a[k] = {cell[3 * k], cell[3 * k + 1], cell[3 * k + 2]};
        if (periodic[k]) ++count;
    }
    for (int k = 0; k < 3; ++k) {
        const double length = norm(a[k]);
        if (periodic[k] && !(length >= closest_atoms && length <= longest_cell))
            throw Error("periodic direction " + std::to_string(k) + " has a lattice vector of length " +
                            std::to_string(length) + " Å",
                        length > longest_cell ? "a cell of this size is an error of units or of the file"
                                              : "its images would coincide",
                        "give the cell in Å, or declare the direction as not periodic");
    }
    if (count == 0) {
        a[0] = {1, 0, 0};
        a[1] = {0, 1, 0};
        a[2] = {0, 0, 1};
    } else if (count == 1) {
        const int k = periodic[0] ? 0 : periodic[1] ? 1 : 2;
        const Vector along = scaled(a[k], 1 / norm(a[k]));
        const Vector helper = std::abs(along.x) < 0.8 ? Vector{1, 0, 0} : Vector{0, 1, 0};
        Vector side = cross(along, helper);
        side = scaled(side, 1 / norm(side));
        a[(k + 1) % 3] = side;
        a[(k + 2) % 3] = cross(along, side);
    } else if (count == 2) {
        const int k = !periodic[0] ? 0 : !periodic[1] ? 1 : 2;
        const Vector side = cross(a[(k + 1) % 3], a[(k + 2) % 3]);
        a[k] = scaled(side, 1 / norm(side));
    }
    const double volume = std::abs(dot(a[0], cross(a[1], a[2])));
    if (!(volume > 1e-6 * norm(a[0]) * norm(a[1]) * norm(a[2])))
        throw Error("the lattice vectors lie in a plane", "the cell has no volume", "check the cell of this frame");
    for (int k = 0; k < 3; ++k) {
        const double height = volume / norm(cross(a[(k + 1) % 3], a[(k + 2) % 3]));
        if (periodic[k] && !(height >= closest_atoms))
            throw Error("the cell is only " + std::to_string(height) + " Å high along periodic direction " +
                            std::to_string(k),
                        "it is too flat, or too skewed, for its images to be counted",
                        "check the cell of this frame, or reduce it to a less skewed one of the same lattice");
    }
}

}  // namespace

void CellList::build(std::int64_t n_atoms, const double* positions, const double* cell, const std::uint8_t* periodic,
                     double cutoff, const std::int64_t* names) {
    cutoff_ = cutoff;
    names_ = names;
    points_.clear();
    owner_.clear();
    if (n_atoms == 0) return;
    for (std::int64_t i = 0; i < 3 * n_atoms; ++i)
        if (!std::isfinite(positions[i]))
            throw Error("position of atom " + std::to_string(name(i / 3)) + " is not a finite number",
                        "neighbors cannot be found from NaN or infinite coordinates",
                        "check the trajectory at this frame: the simulation may have blown up");
    add_images(n_atoms, positions, cell, periodic);
    bins_.sort(static_cast<std::int64_t>(owner_.size()), points_.data(), owner_.data(), cutoff_);
}

void CellList::add_images(std::int64_t n_atoms, const double* positions, const double* cell,
                          const std::uint8_t* periodic) {
    Vector a[3], inverse[3];
    complete_cell(cell, periodic, a);
    const double volume = dot(a[0], cross(a[1], a[2]));
    double margin[3];  // the cutoff in fractions of the cell
    for (int k = 0; k < 3; ++k) {
        inverse[k] = scaled(cross(a[(k + 1) % 3], a[(k + 2) % 3]), 1 / volume);
        margin[k] = periodic[k] ? cutoff_ * norm(inverse[k]) * (1 + 1e-12) : 0.0;
        if (margin[k] > 1000)
            throw Error("a cell height is " + std::to_string(cutoff_ / margin[k]) + " Å",
                        "more than a thousand images lie within the cutoff", "check the cell of this frame");
    }
    std::vector<double> fraction(static_cast<std::size_t>(3 * n_atoms));
    points_.resize(static_cast<std::size_t>(3 * n_atoms));
    owner_.resize(static_cast<std::size_t>(n_atoms));
    for (std::int64_t i = 0; i < n_atoms; ++i) {
        Vector p{positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]};
        for (int k = 0; k < 3; ++k) {
            double s = dot(p, inverse[k]);
            if (periodic[k]) {
                const double shift = std::floor(s);
                if (!(std::abs(shift) < 1e9))
                    throw Error("atom " + std::to_string(name(i)) + " is " + std::to_string(shift) + " cells away",
                                "its place in the cell cannot be computed accurately",
                                "check the trajectory at this frame: the simulation may have blown up");
                s -= shift;
                p = {p.x - shift * a[k].x, p.y - shift * a[k].y, p.z - shift * a[k].z};
            }
            fraction[3 * i + k] = s;
        }
        points_[3 * i] = p.x;
        points_[3 * i + 1] = p.y;
        points_[3 * i + 2] = p.z;
        owner_[i] = static_cast<std::int32_t>(i);
    }
    int reach[3];
    for (int k = 0; k < 3; ++k) reach[k] = static_cast<int>(std::ceil(margin[k]));
    // image n of fraction s is needed when −margin ≤ s + n ≤ 1 + margin in every direction
    for (int n0 = -reach[0]; n0 <= reach[0]; ++n0) {
        for (int n1 = -reach[1]; n1 <= reach[1]; ++n1) {
            for (int n2 = -reach[2]; n2 <= reach[2]; ++n2) {
                if (n0 == 0 && n1 == 0 && n2 == 0) continue;
                const double n[3] = {double(n0), double(n1), double(n2)};
                const Vector shift{n[0] * a[0].x + n[1] * a[1].x + n[2] * a[2].x,
                                   n[0] * a[0].y + n[1] * a[1].y + n[2] * a[2].y,
                                   n[0] * a[0].z + n[1] * a[1].z + n[2] * a[2].z};
                for (std::int64_t i = 0; i < n_atoms; ++i) {
                    bool needed = true;
                    for (int k = 0; k < 3; ++k) {
                        const double s = fraction[3 * i + k] + n[k];
                        needed &= !periodic[k] || (s >= -margin[k] && s <= 1 + margin[k]);
                    }
                    if (!needed) continue;
                    points_.push_back(points_[3 * i] + shift.x);
                    points_.push_back(points_[3 * i + 1] + shift.y);
                    points_.push_back(points_[3 * i + 2] + shift.z);
                    owner_.push_back(static_cast<std::int32_t>(i));
                }
            }
        }
    }
    if (owner_.size() > 2000000000u)
        throw Error("the frame has more than 2·10⁹ atoms and images", "they are counted in 32 bits",
                    "evaluate it with LAMMPS on several MPI ranks");
}

void CellList::append_neighbors(std::int64_t atom, std::int32_t offset, EdgeList& edges, std::int64_t row) const {
    const std::int32_t self = bins_.place(atom);
    const double *xs = bins_.x(), *ys = bins_.y(), *zs = bins_.z();
    const std::int32_t* atoms = bins_.labels();
    const double x = xs[self], y = ys[self], z = zs[self], square = cutoff_ * cutoff_;
    std::int64_t n = edges.count;
    int overlaps = 0;
    bins_.near(x, y, z, cutoff_, [&](std::int32_t first, std::int32_t last) {
        const std::int64_t needed = n + (last - first);
        std::int32_t* sender = edges.sender.grow(static_cast<std::size_t>(needed), static_cast<std::size_t>(n));
        float* vectors = edges.vectors.grow(static_cast<std::size_t>(3 * needed), static_cast<std::size_t>(3 * n));
        for (std::int32_t c = first; c < last; ++c) {
            const double ex = xs[c] - x, ey = ys[c] - y, ez = zs[c] - z;
            vectors[3 * n] = static_cast<float>(ex);
            vectors[3 * n + 1] = static_cast<float>(ey);
            vectors[3 * n + 2] = static_cast<float>(ez);
            sender[n] = atoms[c] + offset;
            const double distance = ex * ex + ey * ey + ez * ez;
            overlaps += (distance < closest_atoms * closest_atoms) & (c != self);
            n += (distance < square) & (c != self);
        }
    });
    const std::int64_t start = edges.count;
    edges.count = n;
    edges.first.data()[row + 1] = n;
    if (overlaps > 0) refuse_overlap(atom, edges, start, offset);
}

void CellList::refuse_overlap(std::int64_t atom, const EdgeList& edges, std::int64_t start, std::int32_t offset) const {
    std::int64_t nearest = start;
    const auto distance = [&](std::int64_t e) {
        const float* v = edges.vectors.data() + 3 * e;
        return std::hypot(double{v[0]}, double{v[1]}, double{v[2]});
    };
    for (std::int64_t e = start; e < edges.count; ++e)
        if (distance(e) < distance(nearest)) nearest = e;
    throw Error("atoms " + std::to_string(name(atom)) + " and " +
                    std::to_string(name(edges.sender.data()[nearest] - offset)) + " are " +
                    std::to_string(distance(nearest)) + " Å apart",
                "atoms closer than " + std::to_string(closest_atoms).substr(0, 3) + " Å are no structure of matter, and "
                "the network has seen nothing like it",
                "check the trajectory at this frame: an atom is there twice, the simulation may have blown up, or the "
                "cell does not belong to the positions");
}

}  // namespace bec
