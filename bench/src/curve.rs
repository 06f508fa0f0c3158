//! What a boot costs as the cloud grows: CPU per boot against the servers that exist, and against the hosts.
//!
//! Every point is a burst of the same size in a cloud of another size. What the cloud uses while nothing is
//! asked of it, heartbeats above all, grows with the hosts and is no boot's cost: it is measured before each
//! burst, taken off, and told beside it.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, anyhow};
use comfy_table::{Table, presets};
use plotters::prelude::*;

use crate::{Options, boots, client::Client, cpu, run};

/// Boots of one point.
const BURST: usize = 200;
/// Servers that exist already.
const SERVERS: [usize; 6] = [1, 10, 100, 500, 2000, 5000];
/// Hosts.
const HOSTS: [u32; 4] = [1, 10, 100, 1000];
/// How long a cloud is looked at while nothing is asked of it: two heartbeats of every host.
const IDLE: Duration = Duration::from_secs(20);

/// What one point saw.
#[derive(Debug, Clone, Copy)]
struct Point {
    servers: usize,
    hosts: u32,
    /// Milliseconds of CPU per boot.
    boot: f64,
    /// Milliseconds of CPU per second while nothing is asked.
    idle: f64,
}

/// Measures both curves, draws them into `file` and gives back their numbers as a table.
pub(crate) async fn draw(options: &Options, file: &Path) -> Result<String> {
    let by_servers = against_servers(options).await?;
    let by_hosts = against_hosts(options).await?;
    plot(file, &by_servers, &by_hosts)
        .map_err(|error| anyhow!("{error:#}"))
        .with_context(|| format!("drawing {}", file.display()))?;
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "servers before",
        "hosts",
        "CPU per boot, ms",
        "CPU at rest, ms/s",
    ]);
    for point in by_servers.iter().chain(&by_hosts) {
        table.add_row([
            point.servers.to_string(),
            point.hosts.to_string(),
            format!("{:.2}", point.boot),
            format!("{:.1}", point.idle),
        ]);
    }
    Ok(table.to_string())
}

async fn against_servers(options: &Options) -> Result<Vec<Point>> {
    let cloud = run::start(options, options.hosts)?;
    cloud.add_small_image()?;
    let client = Client::of(&cloud).await?;
    // The first burst pays for connections and statements; it is not counted.
    boots::burst(&cloud, &client, BURST).await?;
    let (mut points, mut there) = (Vec::new(), 0);
    for servers in SERVERS {
        client.boot_many(servers - there, 32).await?;
        client.until_built(Duration::from_millis(100)).await?;
        there = servers;
        points.push(point(&cloud, &client, servers, options.hosts).await?);
    }
    Ok(points)
}

async fn against_hosts(options: &Options) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for hosts in HOSTS {
        let cloud = run::start(options, hosts)?;
        cloud.add_small_image()?;
        let client = Client::of(&cloud).await?;
        boots::burst(&cloud, &client, BURST).await?;
        points.push(point(&cloud, &client, 0, hosts).await?);
    }
    Ok(points)
}

async fn point(
    cloud: &skybus_tests::cloud::Cloud,
    client: &Client,
    servers: usize,
    hosts: u32,
) -> Result<Point> {
    let processes = cpu::of_cloud(&cloud.data_dir())?;
    let before = cpu::used(&processes);
    tokio::time::sleep(IDLE).await;
    let used = cpu::used(&processes).saturating_sub(before);
    let idle = used.as_secs_f64() / IDLE.as_secs_f64();
    let boots = boots::boots(cloud, client, BURST).await?;
    let point = Point {
        servers,
        hosts,
        boot: (boots.cpu_each - idle / boots.per_second) * 1000.0,
        idle: idle * 1000.0,
    };
    client.delete_many(&boots.ids, 32).await?;
    client.until_none_of(&boots.ids).await?;
    run::say(&format!("  {point:?}"));
    Ok(point)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn plot(file: &Path, by_servers: &[Point], by_hosts: &[Point]) -> Drawn {
    let area = SVGBackend::new(file, (1000, 380)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(500);
    let most = by_servers.iter().chain(by_hosts).map(|point| point.boot);
    let most = most.fold(10.0, f64::max) * 1.2;
    let servers = by_servers.iter().map(|p| (p.servers as f64, p.boot));
    panel(&left, "servers that exist", most, servers.collect())?;
    let hosts = by_hosts.iter().map(|p| (f64::from(p.hosts), p.boot));
    panel(&right, "hosts", most, hosts.collect())?;
    area.present()?;
    Ok(())
}

fn panel<DB: DrawingBackend>(
    area: &DrawingArea<DB, plotters::coord::Shift>,
    against: &str,
    most: f64,
    points: Vec<(f64, f64)>,
) -> Drawn
where
    DB::ErrorType: 'static,
{
    let right = points.last().map_or(10.0, |(x, _)| *x) * 1.3;
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(52)
        .build_cartesian_2d((0.8..right).log_scale(), 0.0..most)?;
    chart
        .configure_mesh()
        .x_desc(against)
        .y_desc("CPU per boot, ms")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .label_style(("sans-serif", 14))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart.draw_series(LineSeries::new(points.clone(), BLUE.stroke_width(2)))?;
    chart.draw_series(
        points
            .iter()
            .map(|point| Circle::new(*point, 4, BLUE.filled())),
    )?;
    Ok(())
}
