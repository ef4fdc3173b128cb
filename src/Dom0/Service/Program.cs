using Xen.Service;

return await new XendCommandLine(Console.Out, Console.Error).RunAsync(args).ConfigureAwait(false);
