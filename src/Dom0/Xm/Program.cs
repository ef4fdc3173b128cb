using System.Text;
using Xen.Contract;
using Xen.Xm;

// Streams of our own: System.Console would edit lines on a terminal, and hide that nobody reads any more.
using DescriptorStream input = new(0), output = new(1), error = new(2);
UTF8Encoding text = new(encoderShouldEmitUTF8Identifier: false);
XmContext context = new()
{
    Input = input,
    Output = output,
    Out = new StreamWriter(output, text) { AutoFlush = true },
    Error = new StreamWriter(error, text) { AutoFlush = true },
    Terminal = PosixTerminal.OnStandardInput(),
    Paths = XenPaths.ForUser(),
    PresetAddress = Environment.GetEnvironmentVariable("XEN_CONNECT"),
    StartService = static (lookOnly, stop) =>
        XendLauncher.StartAsync(XendLauncher.Program, lookOnly ? [XendLauncher.IdleExitOption, XendLauncher.LookOnlyOption] : [XendLauncher.IdleExitOption], stop),
};
return await new XmCommandLine(context).RunAsync(args).ConfigureAwait(false);
