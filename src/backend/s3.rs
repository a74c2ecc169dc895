//! S3 and what speaks like it: which address, which region, which signature. The requests are opendal's.
//!
//! No region is ever asked for, no bucket looked for or made, no checksum sent, no upload split: each of these fails on
//! one or another server, and none is needed.

use opendal::Operator;
use opendal::services;

use super::aws::Credentials;
use super::error::{ErrorKind, Failure};
use super::http::HttpClient;
use super::location::S3Place;
use super::object::ObjectStore;
use super::options::{BackendOptions, BucketLookup};

pub(super) fn open(place: &S3Place, options: &BackendOptions) -> Result<ObjectStore, Failure> {
    let credentials = Credentials::find(&options.environment)?;
    let mut service = services::S3::default()
        .endpoint(&place.endpoint)
        .bucket(&place.bucket)
        .root(&place.prefix)
        .region(&region(place, options, &credentials))
        .access_key_id(&credentials.access_key_id)
        .secret_access_key(&credentials.secret_access_key)
        // The keys are found above: opendal is to read neither the process's variables nor files, and to ask nobody.
        .disable_config_load()
        .disable_ec2_metadata();
    if let Some(token) = &credentials.session_token {
        service = service.session_token(token);
    }
    if options.s3.bucket_lookup == BucketLookup::Dns {
        service = service.enable_virtual_host_style();
    }
    let operator = Operator::new(service).map_err(|error| Failure::new(ErrorKind::Setting, error.to_string()))?;
    Ok(ObjectStore::new(operator, HttpClient::new(options)?, check_listing))
}

fn region(place: &S3Place, options: &BackendOptions, credentials: &Credentials) -> String {
    let told = options.s3.region.as_deref();
    let variable = || options.environment.first(&["AWS_DEFAULT_REGION", "AWS_REGION"]);
    let profile = || credentials.region.as_deref();
    let host = || region_of_host(&place.host);
    told.or_else(variable).or_else(profile).or_else(host).unwrap_or("us-east-1").to_owned()
}

/// The region that a host's name tells: `s3.eu-west-1.amazonaws.com`, `s3-eu-west-1.…`, `s3.dualstack.eu-west-1.…`;
/// R2 has only `auto`.
fn region_of_host(host: &str) -> Option<&str> {
    if host.ends_with(".r2.cloudflarestorage.com") {
        return Some("auto");
    }
    let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let region =
        name.strip_prefix("s3.dualstack.").or_else(|| name.strip_prefix("s3.")).or_else(|| name.strip_prefix("s3-"))?;
    (!region.contains('.')).then_some(region)
}

/// Whether a document is a whole listing, with a way to the next page if there is one. opendal reads any other XML, a
/// proxy's page too, as an empty listing, and a missing continuation token as the beginning.
fn check_listing(body: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let is_listing = text.contains("<ListBucketResult") && text.ends_with("</ListBucketResult>");
    if !is_listing {
        return Err("the answer is not a listing of a bucket".to_owned());
    }
    let is_truncated = text.contains("<IsTruncated>true</IsTruncated>");
    let has_token = text
        .split_once("<NextContinuationToken>")
        .is_some_and(|(_, rest)| !rest.starts_with("</NextContinuationToken>"));
    if is_truncated && !has_token {
        return Err("the listing is cut off without a way to go on".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::location::{Location, Place};
    use crate::backend::options::{Environment, S3Options};

    fn region_of(location: &str, variables: &[(&str, &str)], told: Option<&str>) -> String {
        let Place::S3(place) = Location::parse(location).expect(location).place else { panic!("{location}") };
        let mut environment: Environment = variables.iter().copied().collect();
        environment.set("AWS_ACCESS_KEY_ID", "a");
        environment.set("AWS_SECRET_ACCESS_KEY", "b");
        let credentials = Credentials::find(&environment).expect("keys");
        let s3 = S3Options { region: told.map(str::to_owned), ..S3Options::default() };
        region(&place, &BackendOptions { environment, s3, ..BackendOptions::default() }, &credentials)
    }

    #[test]
    fn a_region_is_told_or_read_off_the_host_and_never_asked_for() {
        for (location, region) in [
            ("s3:minio.example/b", "us-east-1"),
            ("s3:abc.r2.cloudflarestorage.com/b", "auto"),
            ("s3:abc.eu.r2.cloudflarestorage.com/b", "auto"),
            ("s3:s3.amazonaws.com/b", "us-east-1"),
            ("s3:s3.eu-central-1.amazonaws.com/b", "eu-central-1"),
            ("s3:s3-eu-west-1.amazonaws.com/b", "eu-west-1"),
            ("s3:s3.dualstack.eu-west-1.amazonaws.com/b", "eu-west-1"),
            ("s3:s3.cn-north-1.amazonaws.com.cn/b", "cn-north-1"),
        ] {
            assert_eq!(region_of(location, &[], None), region, "{location}");
        }
        let r2 = "s3:abc.r2.cloudflarestorage.com/b";
        assert_eq!(region_of(r2, &[("AWS_REGION", "weur")], None), "weur");
        assert_eq!(region_of(r2, &[("AWS_REGION", "weur"), ("AWS_DEFAULT_REGION", "eeur")], None), "eeur");
        assert_eq!(region_of(r2, &[("AWS_REGION", "weur")], Some("told")), "told");
    }

    #[test]
    fn only_a_whole_listing_is_taken_for_one() {
        let page = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><IsTruncated>false</IsTruncated></ListBucketResult>\n";
        assert_eq!(check_listing(page.as_bytes()), Ok(()));
        let more = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
                    </ListBucketResult>";
        assert_eq!(check_listing(more.as_bytes()), Ok(()));
        for wrong in [
            "",
            "<html><body>Please log in</body></html>",
            "<ListBucketResult><Contents>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>\
             </ListBucketResult>",
        ] {
            check_listing(wrong.as_bytes()).expect_err(wrong);
        }
    }
}
