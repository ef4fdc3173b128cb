/*
 * The words in which the other files tell which C# type stands for which C type, and which member for which.
 * They print one line each; regenerate.sh collects them in layout.txt, which the tests compare with the C# types.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void golden_struct(const char *type, size_t size)
{
    printf("struct %s %zu\n", type, size);
}

static inline void golden_field(const char *type, const char *field, size_t offset, size_t size)
{
    printf("field %s.%s %zu %zu\n", type, field, offset, size);
}

static inline void golden_value(const char *type, const char *name, long long value)
{
    if (value > -65536 && value < 65536)
        printf("const %s.%s %lld\n", type, name, value);
    else
        printf("const %s.%s 0x%llx\n", type, name, (unsigned long long)value);
}

/* An identifier: only its size matters. */
#define ID(cs, c) golden_struct(#cs, sizeof(c))

/* A C# struct that is a C one. */
#define STRUCT(cs, c) { typedef c type_; const char *name_ = #cs; golden_struct(name_, sizeof(type_))
#define FIELD(cs, member) FIELD_OF_SIZE(cs, member, sizeof(((type_ *)0)->member))

/* A field that covers several members, or part of one. */
#define FIELD_OF_SIZE(cs, member, size) golden_field(name_, #cs, offsetof(type_, member), size)

/* A C# struct that is a C one up to a member. */
#define PREFIX(cs, c, end) { typedef c type_; const char *name_ = #cs; golden_struct(name_, offsetof(type_, end))

/* A C# struct that is a member of a C one. */
#define PART(cs, c, member) { typedef c type_; const char *name_ = #cs; const size_t base_ = offsetof(type_, member); \
    golden_struct(name_, sizeof(((type_ *)0)->member))
#define PART_FIELD(cs, member) \
    golden_field(name_, #cs, offsetof(type_, member) - base_, sizeof(((type_ *)0)->member))

/* Constants: of a struct, an enum or a static class. */
#define GROUP(cs) { const char *name_ = #cs
#define VALUE(cs, value) golden_value(name_, #cs, (long long)(value))
#define TEXT(cs, text) printf("text %s.%s %s\n", name_, #cs, text)

#define END }

void golden_start(void);
void golden_cpu(void);
void golden_memory(void);
void golden_events(void);
void golden_grants(void);
void golden_devices(void);
void golden_control(void);

#endif
