/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

/* ------------------------------------------------------------------ roff, as man(7) says */

/* What roff would make something else of: a dash a hyphen, straight quotes curved ones. */
static const struct {
    char plain;
    const char *escape;
} escapes[] = {{'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};

/* The code point that `text`, UTF-8, begins with, beyond ASCII; *length is how many bytes it takes. */
static unsigned code_point(const char *text, size_t *length)
{
    unsigned char first = (unsigned char)text[0];
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    unsigned code = first & (0x3fu >> more);
    for (*length = 1; *length <= more && ((unsigned char)text[*length] & 0xc0) == 0x80; ++*length)
        code = code << 6 | ((unsigned char)text[*length] & 0x3f);
    return code;
}

static void put_text(const char *text, size_t length)
{
    if (length > 0 && text[0] == '.') fputs("\\&", stdout); /* no request */
    for (size_t i = 0, taken = 1; i < length; i += taken, taken = 1) {
        size_t k = 0;
        while (k < sizeof escapes / sizeof escapes[0] && escapes[k].plain != text[i]) k++;
        if (k < sizeof escapes / sizeof escapes[0])
            fputs(escapes[k].escape, stdout);
        else if ((unsigned char)text[i] >= 0x80)
            printf("\\[u%04X]", code_point(text + i, &taken));
        else
            putchar(text[i]);
    }
}

static void put_line(const char *text)
{
    put_text(text, strlen(text));
    putchar('\n');
}

/* Of a command's text: lines that are set in keep their breaks, an empty one parts paragraphs. */
static void put_paragraphs(const char *text)
{
    bool example = false;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n"), indent = strspn(text, " ");
        bool set_in = indent > 0 && indent < length;
        if (set_in != example) puts(set_in ? ".PP\n.RS 4\n.nf" : ".fi\n.RE");
        example = set_in;
        if (length == 0) {
            puts(".PP");
        } else {
            put_text(text + indent, length - indent);
            putchar('\n');
        }
        text += length + (text[length] == '\n');
    }
    if (example) puts(".fi\n.RE");
}

static void put_options(const PmCommandOption *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        puts(".TP");
        if (options->letter != 0) printf("\\fB\\-%c\\fR, ", options->letter);
        fputs("\\fB\\-\\-", stdout);
        put_text(options->name, strlen(options->name));
        fputs("\\fR", stdout);
        if (options->argument != NULL) printf(" \\fI%s\\fR", options->argument);
        putchar('\n');
        put_line(options->doc);
    }
}

/* ------------------------------------------------------------------ the page */

static void put_command(const PmCommand *command)
{
    printf(".SS ");
    put_text(command->name, strlen(command->name));
    puts("\n.PP");
    printf("\\fBpixmill ");
    put_text(command->name, strlen(command->name));
    printf("\\fR ");
    for (const char *line = command->usage; *line != '\0';) { /* another way on another line */
        size_t length = strcspn(line, "\n"), indent = strspn(line, " ");
        put_text(line + indent, length - indent);
        puts(line[length] == '\n' ? "\n.br" : "");
        line += length + (line[length] == '\n');
    }
    puts(".PP");
    put_line(command->summary);
    puts(".PP");
    if (command->text != NULL) put_paragraphs(command->text);
    put_options(command->options);
}

static int run(const PmArguments *arguments)
{
    (void)arguments;
    puts(".TH PIXMILL 1 \"\" \"pixmill " PIXMILL_VERSION "\" \"User Commands\"\n"
         ".SH NAME\npixmill \\- turn images into renditions, as one YAML file says\n"
         ".SH SYNOPSIS\n\\fBpixmill\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n"
         ".SH COMMANDS");
    const PmCommand *command;
    for (size_t i = 0; (command = pm_command_at(i)) != NULL; i++) put_command(command);
    puts(".SH OPTIONS\nOf every command:");
    put_options(pm_command_common());
    puts(".SH EXIT STATUS");
    for (const PmExitCode *exit = pm_command_exits(); exit->meaning != NULL; exit++) {
        printf(".TP\n%d\n", exit->code);
        put_line(exit->meaning);
    }
    return PM_EXIT_FINE;
}

const PmCommand pm_command_manual = {
    .name = "manual",
    .usage = "",
    .summary = "Print the manual page.",
    .text = "Examples:\n"
            "  pixmill manual >pixmill.1 && man ./pixmill.1",
    .most = 0,
    .run = run,
};
