using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>The byte ring against a queue, its indices' wrap-around, and peers that lie.</summary>
public sealed class ByteRingTests
{
    private static readonly ByteRingLayout Layout = new(Data: 64, Size: 16, Cons: 0, Prod: 4);

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue - 3)]
    [InlineData(uint.MaxValue)]
    [InlineData(0x7fff_fffeu)]
    public void ReadAndWrite_AnyOrderAndSizes_BehaveAsAQueue(uint start)
    {
        using TestPage page = new() { [Layout.Cons] = start, [Layout.Prod] = start };
        ByteRing producer = new(page, Layout), consumer = new(page, Layout);
        Queue<byte> model = new();
        Random random = new(7);
        byte next = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(0, 24)];
            if (random.Next(2) == 0)
            {
                for (int j = 0; j < bytes.Length; j++)
                    bytes[j] = next++;
                int written = producer.Write(bytes);
                Assert.Equal(Math.Min(bytes.Length, Layout.Size - model.Count), written);
                next -= (byte)(bytes.Length - written);
                foreach (byte b in bytes.AsSpan(0, written))
                    model.Enqueue(b);
            }
            else
            {
                int read = consumer.Read(bytes);
                Assert.Equal(Math.Min(bytes.Length, model.Count), read);
                foreach (byte b in bytes.AsSpan(0, read))
                    Assert.Equal(model.Dequeue(), b);
            }

            Assert.Equal((uint)model.Count, page[Layout.Prod] - page[Layout.Cons]);
        }

        Assert.Null(producer.Fault ?? consumer.Fault);
    }

    [Fact]
    public void Write_TouchesOnlyItsDataAndItsIndex()
    {
        using TestPage page = new() { [Layout.Cons] = uint.MaxValue - 3, [Layout.Prod] = uint.MaxValue - 3 };
        page.Bytes[(Layout.Data - 8)..Layout.Data].Fill(0xEE);
        page.Bytes.Slice(Layout.Data + Layout.Size, 8).Fill(0xEE);
        Assert.Equal(16, new ByteRing(page, Layout).Write(new byte[40]));
        Assert.Equal((uint.MaxValue - 3, 12u), (page[Layout.Cons], page[Layout.Prod]));
        Assert.Equal(-1, page.Bytes[(Layout.Data - 8)..Layout.Data].IndexOfAnyExcept((byte)0xEE));
        Assert.Equal(-1, page.Bytes.Slice(Layout.Data + Layout.Size, 8).IndexOfAnyExcept((byte)0xEE));
    }

    [Theory]
    [InlineData(0u, 17u)]
    [InlineData(0u, uint.MaxValue)]
    [InlineData(1u, 0u)]
    [InlineData(uint.MaxValue - 3, 13u)]
    [InlineData(5u, 0x8000_0005u)]
    public void Hostile_ProducerTooFarAhead_ClosesTheRingForGood(uint cons, uint prod)
    {
        using TestPage page = new() { [Layout.Cons] = cons, [Layout.Prod] = prod };
        ByteRing ring = new(page, Layout);
        Assert.Equal(0, ring.Read(new byte[64]));
        Assert.Contains("ring of 16 bytes", ring.Fault, StringComparison.Ordinal);
        page[Layout.Cons] = page[Layout.Prod] = 0;
        Assert.Equal(0, ring.Write(new byte[4]));
        Assert.Equal((0u, 0u), (page[Layout.Cons], page[Layout.Prod]));
    }

    [Fact]
    public void ReadAndWrite_OnTwoThreads_KeepEveryByteInOrder()
    {
        const int total = 1_000_000;
        using TestPage page = new() { [Layout.Cons] = uint.MaxValue - 3, [Layout.Prod] = uint.MaxValue - 3 };
        ByteRing producer = new(page, Layout), consumer = new(page, Layout);
        Thread writer = new(() =>
        {
            byte[] chunk = new byte[7];
            for (int sent = 0; sent < total;)
            {
                int length = Math.Min(chunk.Length, total - sent);
                for (int i = 0; i < length; i++)
                    chunk[i] = (byte)((sent + i) * 31);
                int written = producer.Write(chunk.AsSpan(0, length));
                sent += written;
                if (written == 0)
                    Thread.Yield();
            }
        });
        writer.Start();
        byte[] buffer = new byte[11];
        int received = 0, wrong = 0;
        while (received < total)
        {
            int count = consumer.Read(buffer);
            for (int i = 0; i < count; i++)
                wrong += buffer[i] == (byte)((received + i) * 31) ? 0 : 1;
            received += count;
            if (count == 0)
                Thread.Yield();
        }

        writer.Join();
        Assert.Equal(0, wrong);
    }
}
