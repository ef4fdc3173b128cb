using System.CommandLine;
using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>What <c>xm create</c> and <c>xm new</c> have in common: a configuration file, what overrides it, and how many domains it makes.</summary>
internal sealed class ConfigOptions(XmContext context, string verb)
{
    /// <summary>Domains of one command.</summary>
    private const int MostDomains = 1000;

    private readonly Argument<string> _file = new("FILE") { Description = "The configuration file; xmdomain.cfg(5) says what it may contain." };

    private readonly Argument<string[]> _overrides = new("KEY=VALUE")
    {
        Description = "Set a key, whatever the file says: memory=512 vcpus=2",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<bool> _dryRun = new("--dryrun", "-n") { Description = "Only print what would be created." };
    private readonly Option<bool> _quiet = new("--quiet", "-q") { Description = "Say nothing unless something fails." };

    private readonly Option<int?> _count = new("--count")
    {
        Description = "Make so many domains, with numbers behind their name, whose disks are copied on write.",
        HelpName = "N",
    };

    private readonly Option<bool> _copyOnWrite = new("--cow")
    {
        Description = "Copy disks on write: their images stay as they are; what is written goes with the domain.",
    };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_file);
        command.Add(_overrides);
        command.Add(_dryRun);
        command.Add(_quiet);
        command.Add(_count);
        command.Add(_copyOnWrite);
    }

    public bool IsQuiet(ParseResult parsed) => parsed.GetValue(_quiet);

    /// <summary>Whether there may be more than one domain.</summary>
    public bool HasCount(ParseResult parsed) => parsed.GetValue(_count) is not null;

    /// <summary>Makes the requests, one for each domain.</summary>
    /// <exception cref="UsageException">Something on the command line is wrong.</exception>
    /// <exception cref="XmException">The file cannot be read.</exception>
    public async Task<IReadOnlyList<CreateDomainRequest>> ReadAsync(ParseResult parsed)
    {
        string path = ConfigFiles.Locate(context.Paths, parsed.GetRequiredValue(_file));
        string[] overrides = parsed.GetValue(_overrides) ?? [];
        foreach (string text in overrides)
        {
            if (text.StartsWith('-'))
                throw new UsageException($"'{text}' is no option of this verb; xm help {verb} lists them.");
            if (text.IndexOf('=', StringComparison.Ordinal) <= 0)
                throw new UsageException($"'{text}' is not KEY=VALUE, as in memory=512.");
        }

        int? count = parsed.GetValue(_count);
        if (count is < 1 or > MostDomains)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--count is how many domains to make, 1 to {MostDomains}, and is {count}."));
        var request = new CreateDomainRequest
        {
            Config = await ConfigFiles.ReadAsync(path).ConfigureAwait(false),
            Source = path,
            WorkingFolder = Environment.CurrentDirectory,
            DryRun = parsed.GetValue(_dryRun),
            CopyOnWrite = parsed.GetValue(_copyOnWrite) || count is not null,
            Overrides = { overrides },
        };
        return count is null ? [request] : [.. Enumerable.Range(1, count.Value).Select(number => new CreateDomainRequest(request) { Instance = number })];
    }

    /// <summary>What xend said about a configuration.</summary>
    /// <returns>Whether that was all, because nothing is to be made.</returns>
    public async Task<bool> ReportAsync(ParseResult parsed, CreateDomainReply reply)
    {
        foreach (string warning in IsQuiet(parsed) ? [] : reply.Warnings)
            context.Say("warning: " + warning);
        if (!parsed.GetValue(_dryRun))
            return false;
        await context.Out.WriteAsync(reply.Sxp).ConfigureAwait(false);
        return true;
    }
}
